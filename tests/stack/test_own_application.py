"""Another application in place of the tasks API, in containers and behind the edge."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.stack.conftest import Stack, free_base
from tests.stack.edge_client import Connection
from tests.support.notes import OF_TASKS, PROOFS, SETTINGS, SUMMARY, add_notes, report
from tests.support.project import Project, good_vault, recap

pytestmark = pytest.mark.docker

NAME = "swtest_notes"


@pytest.fixture(scope="module")
def stack(shared_project: Project) -> Iterator[Stack]:
    """The environment, not started yet."""
    port = free_base()
    add_notes(shared_project)
    settings = SETTINGS | {
        "api_port": port,
        "db_app_user": "notes",
        "edge_enabled": True,
        "stack_health_interval_seconds": 1,
    }
    shared_project.environment(NAME, json.dumps(settings), good_vault(tokens={}))
    stack = Stack(shared_project, NAME, "swtest-notes-", port)
    try:
        yield stack
    finally:
        stack.remove()


def site(stack: Stack) -> str:
    key = ("--vault-password-file", str(stack.project.password_file))
    done = stack.site(*key)
    assert done.returncode == 0, done.output
    return done.output


def test_it_is_built_and_verified_through_the_edge(stack: Stack) -> None:
    assert SUMMARY in site(stack)
    written = report(stack.folder)
    names = [proof["name"] for proof in written["proofs"]]
    assert names[: len(PROOFS) + 3] == ["health", "versions", *PROOFS, "edge"]
    assert not OF_TASKS & set(names)
    assert written["ok"]
    connection = Connection(
        "swtest-notes.localhost", "127.0.0.1", stack.port + 443, stack.folder / "edge-ca.crt"
    )
    try:
        answer = connection.ask("PUT", "/notes/kept", {"text": "olá"})
        assert answer.json == {"name": "kept", "text": "olá"}
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    finally:
        connection.close()


def test_a_second_run_changes_nothing_and_keeps_its_data(stack: Stack) -> None:
    assert recap(site(stack))["changed"] == 0
    query = ("psql", "-U", "admin", "-d", "tasks_db", "-Atc", "SELECT text FROM notes.notes")
    assert stack.exec("banco-dados", *query).stdout == "olá\n"
