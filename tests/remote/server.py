"""A server of somebody's: Python, SSH and sudo in a container that may run an engine of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackwright.images.references import stand_ins

from tests.stack.containers import build_stand_ins

HERE = Path(__file__).parent / "host"
SECONDS = 600  # only against hangs


@dataclass(frozen=True)
class Server:
    """``keys`` has login, its public half, and known_hosts; ``container`` is for looking inside past SSH."""

    container: str
    address: str
    keys: Path

    def run(self, script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A shell script as root."""
        return subprocess.run(
            ["docker", "exec", "-i", self.container, "sh", "-c", script],
            input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    def out(self, script: str, stdin: str = "") -> str:
        """What a script prints that has to succeed."""
        done = self.run(script, stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def answers(self, port: int) -> bool:
        """Whether a port can be reached from here."""
        try:
            with socket.create_connection((self.address, port), 5):
                return True
        except OSError:
            return False

    def inventory(self, environment: str) -> str:
        """An inventory file as a user would write it."""
        host = {
            "ansible_host": self.address,
            "ansible_user": "deploy",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.keys / "login"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.keys / 'known_hosts'}",
        }
        return f"---\n{json.dumps({environment: {'hosts': {f'{environment}-host': host}}}, indent=2)}\n"


def _key(path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)],
        check=True, timeout=60,
    )  # fmt: skip


@contextmanager
def server(keys: Path) -> Iterator[Server]:
    """Build and start one, and remove it with its engine and all its images."""
    debian = stand_ins(os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian"))["debian"]
    built = build_stand_ins(f"debian={debian}")
    assert built.returncode == 0, built.stdout + built.stderr
    _key(keys / "host_key")
    _key(keys / "login")
    name = f"swtest-{os.getpid()}-host"
    variables = {"NAME": name, "DEBIAN_BASE": debian, "KEYS": str(keys)}

    def compose(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", "--file", str(HERE / "compose.yml"), *words],
            env={**os.environ, "DOCKER_BUILDKIT": "1", **variables},
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    try:
        for words in (("build",), ("up", "--detach")):
            done = compose(*words)
            assert done.returncode == 0, done.stdout + done.stderr
        container = compose("ps", "--quiet").stdout.strip()
        line = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = subprocess.run(
            ["docker", "inspect", "--format", line, container],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout.strip()  # fmt: skip
        public = (keys / "host_key.pub").read_text(encoding="ascii")
        (keys / "known_hosts").write_text(f"{address} {public}", encoding="ascii")
        yield Server(container, address, keys)
    finally:
        compose("down", "--volumes", "--rmi", "all", "--timeout", "1")
