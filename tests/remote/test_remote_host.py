"""A server with nothing but Python and SSH gets prod, by the commands of docs/remote.md, over a real sshd."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.remote.server import Server, server
from tests.stack.containers import wait_for
from tests.stack.edge_client import Connection
from tests.support.project import VAULT_PASSWORD, Project, Run, recap

pytestmark = [pytest.mark.docker, pytest.mark.slow]

HOST, HTTP, HTTPS, API = "prod.localhost", 5180, 5543, 5100
FOLDER = "/opt/stackwright/prod"
# The server has no registry to ask for certain, wherever the tests run.
SETTINGS = "---\nedge_bind_address: 0.0.0.0\nbase_images: distro\nstack_runtime: compose\n"


class Remote:
    """prod on a server, run from a copy of the project."""

    def __init__(self, project: Project, machine: Server) -> None:
        self.project = project
        self.machine = machine
        self.vault = project.inventories / "group_vars/prod/vault.yml"

    def play(self, playbook: str, *arguments: str) -> Run:
        """A playbook on the server."""
        variables = {"ANSIBLE_VAULT_PASSWORD_FILE": str(self.project.password_file)}
        words = ("-i", "inventories/prod.yml", playbook, *arguments)
        return self.project.run(*words, variables=variables)

    def played(self, playbook: str, *arguments: str) -> str:
        """What a playbook says that has to succeed."""
        done = self.play(playbook, *arguments)
        assert done.returncode == 0, done.output
        return done.output

    def secrets(self) -> dict[str, str]:
        """All secrets of the environment, by their names in the vault, tokens as ``mapping.name``."""
        vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
        found: dict[str, Any] = yaml.safe_load(vault.decrypt(self.vault.read_bytes()))
        tokens: dict[str, str] = found.pop("vault_api_token_secrets")
        return found | {f"vault_api_token_secrets.{name}": text for name, text in tokens.items()}

    def report(self) -> dict[str, Any]:
        """The last verification's report, on this machine."""
        report: dict[str, Any] = json.loads(
            (self.project.output("prod") / "verify.json").read_text(encoding="utf-8")
        )
        return report


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server as it is handed over."""
    if os.geteuid() != 0:
        pytest.skip("needs root, which alone can make a minimal Debian")
    if not (shutil.which("ssh") and shutil.which("ssh-keygen")):
        pytest.skip("needs an SSH client (Debian package openssh-client)")
    with server(tmp_path_factory.mktemp("keys")) as started:
        wait_for("an SSH server", lambda: started.answers(22))
        yield started


@pytest.fixture(scope="module")
def remote(shared_project: Project, machine: Server) -> Remote:
    """prod in the inventory, on the server, with its secrets; nothing is done yet."""
    shared_project.write("inventories/prod.yml", machine.inventory("prod"))
    shared_project.write("inventories/group_vars/prod/here.yml", SETTINGS)
    found = Remote(shared_project, machine)
    found.played("playbooks/secrets.yml")
    return found


@pytest.fixture(scope="module")
def first(remote: Remote) -> str:
    """What the main job said, at -vvv, on a server that was prepared before."""
    machine = remote.machine
    assert machine.run("command -v docker dockerd containerd mmdebstrap").stdout == ""
    assert not machine.answers(HTTPS)
    refused = remote.play("playbooks/render.yml")
    assert refused.returncode != 0
    assert "`make engine ENV=prod` installs and starts Docker Engine" in refused.output
    assert machine.run(f"test -e {FOLDER}").returncode != 0
    engine = remote.played("playbooks/docker_engine.yml")
    assert "Compose 2." in engine
    return remote.played("site.yml", "-vvv")


def test_a_bare_server_becomes_a_verified_stack(remote: Remote, first: str) -> None:
    assert "Environment prod is up and verified" in first
    report = remote.report()
    assert report["ok"] is True
    assert {proof["name"] for proof in report["proofs"]} >= {
        "health",
        "cache",
        "tokens",
        "edge",
        "outside",
    }
    authority = remote.project.output("prod") / "edge-ca.crt"
    client = Connection(HOST, remote.machine.address, HTTPS, authority)
    bearer = {"Authorization": f"Bearer {remote.secrets()['vault_api_token_secrets.reader']}"}
    assert client.ask("GET", "/tasks").status == 401
    assert client.ask("GET", "/tasks", headers=bearer).json["count"] == 3
    client.close()
    bills = sorted(path.name for path in (remote.project.output("prod") / "sbom").iterdir())
    assert "edge.cdx.json" in bills


def test_a_second_run_changes_nothing_there(remote: Remote, first: str) -> None:
    for playbook in ("playbooks/docker_engine.yml", "site.yml"):
        counts = recap(remote.played(playbook))
        assert counts["changed"] == 0
        assert counts["failed"] == 0


def test_only_the_edge_is_to_be_reached_from_outside(remote: Remote, first: str) -> None:
    ports = (22, HTTP, HTTPS, API, API + 1, 5432, 6379, 2019, 2375)
    assert {port for port in ports if remote.machine.answers(port)} == {22, HTTP, HTTPS}
    proof = next(proof for proof in remote.report()["proofs"] if proof["name"] == "outside")
    assert proof["evidence"]["address"] == remote.machine.address
    assert proof["evidence"]["open"] == [f"edge {HTTP}", f"edge {HTTPS}"]
    assert {"banco-dados 5432", "cache-redis 6379"} < set(proof["evidence"]["closed"])


def test_verification_sees_a_port_that_was_opened_past_the_settings(
    remote: Remote, first: str
) -> None:
    rendered = yaml.safe_load(remote.machine.out(f"cat {FOLDER}/docker-compose.yml"))
    edge = rendered["services"]["edge"]["image"]
    remote.machine.out(
        f"docker run -d --name stray -p {remote.machine.address}:5432:5432"
        " --label com.docker.compose.project=desafio3-prod"
        f" --network desafio3-prod-network-public --entrypoint caddy {edge} respond --listen :5432"
    )
    wait_for("the stray port", lambda: remote.machine.answers(5432))
    try:
        done = remote.play("playbooks/verify.yml")
    finally:
        remote.machine.out("docker rm -f stray")
    assert done.returncode != 0
    assert "prod (compose) breaks a promise: outside" in done.output
    assert f"banco-dados cannot be reached at {remote.machine.address}:5432" in done.output


def test_no_secret_is_shown_or_lies_about(remote: Remote, first: str) -> None:
    secrets = list(remote.secrets().values())
    assert len(secrets) >= 5
    assert not [secret for secret in secrets if secret in first]
    folder = f"{FOLDER}/secrets"
    search = (
        "cat >/dev/shm/patterns; trap 'rm /dev/shm/patterns' EXIT; "
        "find / /var/lib/docker -xdev -type f -print0 | xargs -0 grep -lFf /dev/shm/patterns; true"
    )
    found = set(remote.machine.out(search, "\n".join(secrets)).splitlines())
    assert found
    assert {path for path in found if not path.startswith(folder)} == set()
    modes = remote.machine.out(f"stat -c '%a %U' {folder}; find {folder} -type f -printf '%m\\n'")
    assert modes.split() == ["711", "root", *["400"] * (len(modes.split()) - 2)]


def test_only_what_changed_is_written_and_an_edit_there_is_kept(remote: Remote, first: str) -> None:
    path = f"{FOLDER}/docker-compose.yml"
    remote.machine.out(f"cp -p {path} /root/kept; echo '# by hand' >>{path}")
    refused = remote.play("playbooks/render.yml")
    remote.machine.out(f"mv /root/kept {path}")
    assert refused.returncode != 0
    assert "docker-compose.yml: was edited by hand" in refused.output
    changed = remote.played("playbooks/render.yml", "--check", "--diff", "-e", "api_log_level=INFO")
    assert "1 of " in changed
    assert "files written in /opt/stackwright/prod on prod-host" in changed
    assert "-LOG_LEVEL=" in changed


def test_every_other_playbook_works_there(remote: Remote, first: str) -> None:
    assert "prod-edge" in remote.played("playbooks/status.yml")
    logs = remote.played("playbooks/logs.yml", "-e", "service=banco-dados")
    assert "database system is ready to accept connections" in logs
    refused = remote.play("playbooks/render.yml", "-e", "stack_runtime=embedded")
    assert refused.returncode != 0
    assert "embedded, which runs on this machine only" in refused.output
    refused = remote.play("playbooks/base_images.yml")
    assert refused.returncode != 0
    assert "`make build` builds those that an environment needs on its host" in refused.output
    remote.played("playbooks/stop.yml")
    assert remote.machine.out("docker ps --quiet") == ""
    assert "prod is not running" in remote.played("playbooks/status.yml")
    volumes = remote.machine.out("docker volume ls --quiet").split()
    assert any("postgres" in volume for volume in volumes)


def test_an_unknown_host_key_is_refused(remote: Remote, first: str) -> None:
    known = remote.machine.keys / "known_hosts"
    text = known.read_text(encoding="ascii")
    known.write_text("", encoding="ascii")
    try:
        done = remote.play("playbooks/status.yml", "-e", "ansible_ssh_args='-o ControlPath=none'")
    finally:
        known.write_text(text, encoding="ascii")
    assert done.returncode != 0
    assert "Host key verification failed" in done.output


def test_the_project_stays_out_of_the_servers_files(remote: Remote, first: str) -> None:
    text = remote.machine.out(f"cat {FOLDER}/docker-compose.yml {FOLDER}/env/*")
    assert str(remote.project.folder) not in text
    assert not Path(remote.project.output("prod") / "secrets").exists()


def test_destroy_removes_all_of_it_there_and_its_reports_here(remote: Remote, first: str) -> None:
    listed = remote.play("playbooks/destroy.yml")
    assert listed.returncode != 0
    assert f" in {FOLDER}" in listed.output
    assert "volumes     prod_dados_postgres" in listed.output
    words = ("-e", "destroy_confirm=prod", "-e", "destroy_data=prod")
    remote.played("playbooks/destroy.yml", *words)
    ours = "--quiet --filter label=com.docker.compose.project=desafio3-prod"
    for kind in ("container ls --all", "volume ls", "network ls"):
        assert remote.machine.out(f"docker {kind} {ours}") == ""
    assert remote.machine.run(f"test -e {FOLDER}").returncode != 0
    assert not remote.project.output("prod").exists()
    assert "nothing is left of prod" in remote.played("playbooks/destroy.yml", *words)
