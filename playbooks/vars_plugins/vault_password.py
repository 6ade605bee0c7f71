"""Vars plugin ``vault_password``: Ansible's own host_group_vars, which names the file that cannot be read, and the fix.

That is an encrypted one whose password is missing or wrong, or one that is damaged. Playbooks that need no secret do
without it: nobody has to know a password to look at what runs, or to stop it.

It is also the first plugin of this project that is loaded, with the inventory or by the callback plugin, and always
before an action: the one place that tells Python where the package ``stackwright`` lies. Ansible itself finds it for
modules only, and a package that pip installs could not be in requirements.txt, which allows nothing without a hash.
"""

from __future__ import annotations

import sys
from binascii import unhexlify
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import AnsibleVaultError
from ansible.plugins.vars.host_group_vars import VarsModule as HostGroupVars

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

DOCUMENTATION = """
    name: vault_password
    short_description: variables of groups and hosts; names the file that cannot be read, and what to do
    description:
        - Reads group_vars and host_vars as host_group_vars does.
        - Fails where a file is encrypted and the vault password is missing or wrong, unless no secret is needed, or
          where a file is damaged, is no UTF-8 or is no YAML.
    extends_documentation_fragment:
      - vars_plugin_staging
"""
VAULT_HEADER = b"$ANSIBLE_VAULT;"
OPTIONS = "add --ask-vault-pass or --vault-password-file FILE, or set ANSIBLE_VAULT_PASSWORD_FILE"
# Of AES, in bytes.
BLOCK = 16
# They work from what was rendered, or from settings that are no secrets.
WITHOUT_SECRETS = {
    "destroy.yml", "docker_engine.yml", "logs.yml", "outdated.yml", "status.yml", "stop.yml",
}  # fmt: skip


def _is_whole(vault: bytes) -> bool:
    """Whether an encrypted file has all its parts: salt, HMAC and blocks, each in hex, in hex again (AES256 only)."""
    try:
        parts = unhexlify(b"".join(vault.split()[1:])).split(b"\n")
        salt, hmac, blocks = map(unhexlify, parts)
    except ValueError:
        return False
    return bool(salt) and len(hmac) == 32 and len(blocks) % BLOCK == 0


def _trouble(file: str, content: bytes) -> str:
    """Why the content of a variable file cannot be read, whatever the password; empty if it can."""
    if content.startswith(VAULT_HEADER):
        whole = b";AES256" not in content.partition(b"\n")[0] or _is_whole(content)
        damage = "is encrypted with Ansible Vault and is damaged or cut off"
        return "" if whole else f"{file} {damage}: put back a copy of it"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"{file}:{line} is no UTF-8 text: save it as UTF-8, for example with iconv -f latin1 -t utf-8"
    return ""


def _secrets_needed() -> bool:
    """Whether any of the playbooks that were named on the command line needs a secret."""
    playbooks = context.CLIARGS.get("args") or ()
    return not playbooks or any(Path(path).name not in WITHOUT_SECRETS for path in playbooks)


class VarsModule(HostGroupVars):  # type: ignore[misc]
    """See the module's docstring."""

    def load_found_files(self, loader: DataLoader, data: Any, found_files: list[str]) -> Any:
        """Read the files that were found, vaults among them. Raises AnsibleError for one that cannot be read."""
        opened = [file for file in found_files if _opens(loader, file)]
        return super().load_found_files(loader, data, opened)


def _opens(loader: DataLoader, file: str) -> bool:
    """Read a file into the loader's cache; False for a vault that stays closed, where that does not matter."""
    content = Path(file).read_bytes()
    try:
        if trouble := _trouble(file, content):
            raise AnsibleError(trouble)
        _open(loader, file)
    except AnsibleError:
        if _secrets_needed() or not content.startswith(VAULT_HEADER):
            raise
        return False
    return True


def _open(loader: DataLoader, file: str) -> None:
    try:
        loader.load_from_file(file, cache="all", unsafe=True, trusted_as_template=True)
    except AnsibleVaultError:
        known = loader._vault.secrets
        state = "the password given does not open it" if known else "no password was given"
        text = f"{file} is encrypted with Ansible Vault ({state}): {OPTIONS}"
        raise AnsibleError(text) from None
    except AnsibleParserError as error:
        mark = getattr(error.__cause__, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise AnsibleError(f"{file}{line} is no YAML: correct it there, or a line before") from None
