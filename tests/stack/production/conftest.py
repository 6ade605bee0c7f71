"""A production environment, up behind its edge, whose database has a small file system of its own."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.stack.conftest import Stack, free_base, run
from tests.stack.containers import base_images, docker, wait_for
from tests.stack.edge_client import Answer, Connection
from tests.support.project import ROOT, Project, Run, good_token, good_vault

NAME = "swtest_prod"
PREFIX = "swtest-prod-"
PROJECT = "desafio3-swtest-prod"
HOST = f"{PREFIX.rstrip('-')}.localhost"
VOLUME = "swtest_prod_dados_postgres"
KEEPER = f"{PREFIX}keeper"
VOLUME_MIB = 256
BEARER = {"Authorization": f"Bearer {good_token('operator')}"}
SERVICES = ("banco-dados", "cache-redis", "api-web", "edge")


class Production(Stack):
    """The settings that prod ships with, under names and ports of the tests' own."""

    def play(self, playbook: str, *arguments: str, **variables: str) -> Run:
        variables["ANSIBLE_VAULT_PASSWORD_FILE"] = str(self.project.password_file)
        return super().play(playbook, *arguments, **variables)

    def names(self, service: str = "") -> list[str]:
        """Containers of a service, or of all services, the stopped ones too."""
        filters = ["--filter", f"label=com.docker.compose.project={PROJECT}"]
        if service:
            filters += ["--filter", f"label=com.docker.compose.service={service}"]
        return sorted(docker("ps", "--all", *filters, "--format", "{{.Names}}").stdout.split())

    def inspect(self, name: str) -> dict[str, Any]:
        (found,) = json.loads(docker("inspect", name).stdout)
        assert isinstance(found, dict)
        return found

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """One request through the edge by who may do everything, on a connection of its own."""
        authority = self.folder / "edge-ca.crt"
        connection = Connection(HOST, "127.0.0.1", self.port + 443, authority)
        try:
            return connection.ask(method, path, body, BEARER)
        finally:
            connection.close()

    def try_to(self, method: str, path: str, body: object = None) -> Answer | None:
        """As `ask`; None where nobody takes the connection or keeps it."""
        try:
            return self.ask(method, path, body)
        except (OSError, ssl.SSLError, http.client.HTTPException):
            return None

    def titles(self) -> list[str]:
        """Titles of all tasks, as the database has them."""
        sql = "SELECT title FROM tasks ORDER BY id"
        done = self.exec("banco-dados", "psql", "-XAtU", "admin", "-d", "tasks_db", "-c", sql)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def wait_until_whole(self) -> None:
        """Wait until every container is healthy and both replicas serve a task."""

        def healthy() -> bool:
            line = "{{.State.Status}} {{.State.Health.Status}}"
            states = run("docker", "inspect", "--format", line, *self.names()).stdout.split("\n")
            return {state for state in states if state} == {"running healthy"}

        def answers() -> bool:
            found = [self.try_to("GET", "/tasks/1") for _ in range(4)]
            return all(one is not None and one.status == 200 for one in found)

        wait_for("all containers to be healthy", healthy, 120)
        wait_for("the edge to serve tasks", answers, 60)

    @contextmanager
    def untouched_database(self) -> Iterator[None]:
        """Fail the test if the database was restarted, replaced or lost a task meanwhile."""
        name = f"{self.prefix}banco-dados"

        def state() -> tuple[Any, ...]:
            found = self.inspect(name)
            return found["Id"], found["State"]["StartedAt"], found["RestartCount"]

        before, titles = state(), self.titles()
        yield
        assert state() == before
        assert self.titles()[: len(titles)] == titles


def _small_volume(image: str) -> None:
    """The database's volume, `VOLUME_MIB` large, mounted until the keeper goes: what is in memory outlives restarts."""
    size = f"o=size={VOLUME_MIB}m,uid=999,gid=999,mode=0700"
    docker("volume", "create", "--driver", "local", "--opt", "type=tmpfs", "--opt", "device=tmpfs",
           "--opt", size, VOLUME)  # fmt: skip
    docker("run", "--detach", "--name", KEEPER, "--user", "999:999", "--network", "none",
           "--stop-signal", "KILL", "--volume", f"{VOLUME}:/data", image, "sleep", "3600")  # fmt: skip


@pytest.fixture(scope="package")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """The stack, verified by its own means."""
    project = Project(tmp_path_factory.mktemp("production") / "project")
    port = free_base()
    shipped = (ROOT / "inventories/group_vars/prod/main.yml").read_text(encoding="utf-8")
    project.environment(NAME, vault=good_vault())
    project.write(f"inventories/group_vars/{NAME}/main.yml", shipped)
    project.write(f"inventories/group_vars/{NAME}/names.yml", f"---\napi_port: {port}\n")
    stack = Production(project, NAME, PREFIX, port)
    try:
        _small_volume(base_images()["postgres"])
        done = stack.site()
        assert done.returncode == 0, done.output
        yield stack
    finally:
        stack.remove()
        docker("rm", "--force", KEEPER, check=False)
        docker("volume", "rm", "--force", VOLUME, check=False)
