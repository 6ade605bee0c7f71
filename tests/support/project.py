"""A copy of the project in a scratch folder, and its playbooks run there as a user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("playbooks", "templates", "app", "inventories", "site.yml", "ansible.cfg")
VAULT_PASSWORD = "the vault's own password"
GOOD_SECRET = "pT7-unlikely to be guessed-9z"
OTHER_SECRETS = ("db_app_password", "db_backup_password", "db_monitor_password", "cache_password")
PROD_TOKENS = ("operator", "writer", "reader")
RUN_SECONDS = 900  # only to end a run that hangs; a first run builds all images


@dataclass(frozen=True)
class Run:
    """What a playbook run said: ``results`` are the last task's results by host, when ``structured``."""

    returncode: int
    output: str
    results: dict[str, dict[str, Any]] = field(default_factory=dict)


def _last_results(stdout: str) -> dict[str, dict[str, Any]]:
    """Per host the result of the last task it took part in, from the output of the callback ansible.posix.json."""
    results: dict[str, dict[str, Any]] = {}
    for play in json.loads(stdout[stdout.index("{") :])["plays"]:
        for task in play["tasks"]:
            results |= task["hosts"]
    return results


class Project:
    """The project's own tree, copied, with environments of the test's making."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inventories = folder / "inventories"
        ignore = shutil.ignore_patterns("__pycache__", ".*cache", "*.pyc")
        for part in PARTS:
            source, target = ROOT / part, folder / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=ignore)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        self.password_file = folder / "vault-password"
        self.password_file.write_text(VAULT_PASSWORD, encoding="utf-8")

    def write(self, path: str, text: str) -> Path:
        """Write a file below the project."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def environment(
        self, name: str, settings: str = "", vault: str = "", inventory: str = ""
    ) -> Path:
        """Add an environment as a newcomer does: one inventory file and one group_vars folder."""
        if settings:
            self.write(f"inventories/group_vars/{name}/main.yml", f"---\n{settings}\n")
        if vault:
            self.write(f"inventories/group_vars/{name}/vault.yml", encrypted(vault))
        return self.write(f"inventories/{inventory or name}.yml", inventory_of([name]))

    def output(self, environment: str) -> Path:
        """Where the environment is rendered by default."""
        return self.folder / "generated" / environment

    def run(
        self,
        *arguments: str,
        structured: bool = False,
        variables: Mapping[str, str] | None = None,
        largest_file: int = 0,
    ) -> Run:
        """``ansible-playbook`` with ``arguments`` in the project's folder.

        ``largest_file`` (bytes) makes the kernel refuse to write larger ones, as a full disk would.
        """
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")
        }
        environment |= {
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            **(variables or {}),
        }
        if structured:
            environment["ANSIBLE_STDOUT_CALLBACK"] = "ansible.posix.json"
        limit = ["prlimit", f"--fsize={largest_file}", "--"] if largest_file else []
        done = subprocess.run(
            [*limit, str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        results = _last_results(done.stdout) if structured else {}
        return Run(done.returncode, done.stdout + done.stderr, results)

    def render(self, *arguments: str, with_vault: bool = True, largest_file: int = 0) -> Run:
        """``playbooks/render.yml`` with the results as data; the vaults are open unless said otherwise."""
        key = ["--vault-password-file", str(self.password_file)] if with_vault else []
        return self.run(
            "playbooks/render.yml", *key, *arguments, structured=True, largest_file=largest_file
        )


def like_dev(password: str) -> str:
    """Settings of an environment as open as dev: one password for everything, and none for Redis."""
    same = "".join(f'{name}: "{{{{ db_password }}}}"\n' for name in OTHER_SECRETS)
    return (
        "secrets_strict: false\nsecrets_delivery: environment\ncache_user: default\n"
        f'db_app_user: "{{{{ db_user }}}}"\ndb_password: {password}\n{same}'
    )


def other_secrets(tokens: Mapping[str, str] | None = None) -> str:
    """All secrets but db_password, good ones, for a vault; the tokens are prod's, unless others are given."""
    own = {name: good_token(name) for name in PROD_TOKENS} if tokens is None else dict(tokens)
    rest = "".join(f"vault_{name}: {GOOD_SECRET}, {name}\n" for name in OTHER_SECRETS)
    return f"vault_api_token_secrets: {json.dumps(own, ensure_ascii=False)}\n{rest}"


def good_token(name: str) -> str:
    """The token that good_vault has for one of prod's."""
    return f"pT7-unlikely-9z-{name}"


def good_vault(secret: str = GOOD_SECRET, tokens: Mapping[str, str] | None = None) -> str:
    """A vault with every secret; db_password is the one given, and so are the tokens, else they are prod's."""
    own = f"vault_db_password: {json.dumps(secret, ensure_ascii=False)}\n"
    return own + other_secrets(tokens)


def inventory_of(environments: list[str]) -> str:
    """An inventory file with one local host per environment."""
    local = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    groups = {name: {"hosts": {f"{name}-host": local}} for name in environments}
    return f"---\n{json.dumps(groups, indent=2)}\n"


def encrypted(text: str, password: str = VAULT_PASSWORD) -> str:
    """``text`` as an Ansible Vault file."""
    from ansible.parsing.vault import VaultLib, VaultSecret

    vault = VaultLib([("default", VaultSecret(password.encode()))])
    return vault.encrypt(text.encode()).decode()


def indented_vault(name: str, text: str, password: str = VAULT_PASSWORD) -> str:
    """``name: !vault …``, one encrypted value in an otherwise plain file."""
    lines = encrypted(text, password).splitlines()
    return "\n".join([f"{name}: !vault |", *(f"  {line}" for line in lines)])


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def recap(output: str) -> dict[str, int]:
    """Ansible's closing counts of one host: ``{"ok": 5, "changed": 0, …}``."""
    line = next(line for line in output.splitlines() if " ok=" in line and " changed=" in line)
    return {
        name: int(count)
        for name, _, count in (word.partition("=") for word in line.split())
        if count
    }
