"""Real stacks on the Docker engine of this machine, in a copy of the project, removed at the end."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Project, Run, like_dev

SEED_CONTAINERS = ("api-web", "banco-dados", "cache-redis")
SEED_PORT = 5000


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command with its output; its exit code is the test's business."""
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )


def free_port() -> int:
    """A port nobody listens on, low enough for the embedded ports derived from it."""
    for port in range(21700, 21799):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no free port between 21700 and 21799")


def free_base() -> int:
    """An api_port with which an edge's two ports, derived from it, are free too."""
    for port in range(23100, 23380):
        for wanted in (port, port + 80, port + 443):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", wanted)):
                    break
        else:
            return port
    raise AssertionError("no free ports from 23100 on")


def _seed_names_are_free() -> bool:
    names = run("docker", "ps", "--all", "--format", "{{.Names}}").stdout.split()
    volumes = run("docker", "volume", "ls", "--quiet").stdout.split()
    networks = run("docker", "network", "ls", "--format", "{{.Name}}").stdout.split()
    with socket.socket() as probe:
        port_is_free = probe.connect_ex(("127.0.0.1", SEED_PORT)) != 0
    taken = {*names, *volumes, *networks} & {*SEED_CONTAINERS, "dados_postgres", "desafio3-network"}
    return port_is_free and not taken


class Stack:
    """One environment of a project copy on Docker, with the commands of the seed."""

    def __init__(self, project: Project, environment: str, prefix: str, port: int) -> None:
        self.project = project
        self.environment = environment
        self.prefix = prefix
        self.port = port
        self.folder = project.output(environment)

    def play(self, playbook: str, *arguments: str, **variables: str) -> Run:
        """A playbook on this environment; ``variables`` are added to the process environment."""
        inventory = f"inventories/{self.environment}.yml"
        return self.project.run("-i", inventory, playbook, *arguments, variables=variables)

    def site(self, *arguments: str) -> Run:
        """The main job on Docker."""
        return self.play("site.yml", "-e", "stack_runtime=compose", *arguments)

    def compose(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``docker compose …`` typed in the environment's folder."""
        return run("docker", "compose", *words, cwd=self.folder)

    def exec(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        """``docker exec …`` in a service's container."""
        return run("docker", "exec", f"{self.prefix}{service}", *words)

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON of one request to the API. Raises urllib.error.HTTPError for an error."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://localhost:{self.port}{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)

    def containers(self) -> dict[str, str]:
        """Start time by container, to see that none was restarted."""
        names = [f"{self.prefix}{name}" for name in SEED_CONTAINERS]
        line = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
        found = run("docker", "inspect", "--format", line, *names).stdout.splitlines()
        return {
            name.lstrip("/"): rest
            for name, _, rest in (text.partition(" ") for text in found if text)
        }

    def remove(self) -> None:
        """Containers, network and volume, whatever state they are in."""
        if (self.folder / "docker-compose.yml").exists():
            self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


@pytest.fixture(scope="module")
def seed_stack(shared_project: Project) -> Iterator[Stack]:
    """The environment dev, up: with the seed's names where they are free, never in place of somebody's stack."""
    prefix, port = "", SEED_PORT
    if not _seed_names_are_free():
        prefix, port = "swtest-", free_port()
        shared_project.write(
            "inventories/group_vars/dev/zz_names.yml",
            f"---\nstack_project: swtest\nstack_container_prefix: {prefix}\napi_port: {port}\n"
            "stack_network: swtest-network\ndb_volume: swtest_dados_postgres\n",
        )
    stack = Stack(shared_project, "dev", prefix, port)
    try:
        done = stack.site()
        assert done.returncode == 0, done.output
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="module")
def own_stack(shared_project: Project) -> Iterator[Stack]:
    """An environment of its own beside dev, not started yet, for tests that break things."""
    port = free_port()
    shared_project.environment(
        "swlife",
        f"api_port: {port}\n{like_dev('admin123')}",
    )
    stack = Stack(shared_project, "swlife", "swlife-", port)
    try:
        yield stack
    finally:
        stack.remove()
