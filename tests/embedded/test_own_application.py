"""Another application in place of the tasks API, as docs/own-application.md says, without Docker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.stacks import Stack
from tests.support.notes import OF_TASKS, PROOFS, SETTINGS, SUMMARY, add_notes, report
from tests.support.project import Project, Run, recap

PORT = 11490
VALUES = SETTINGS | {
    "stack_runtime": "embedded",
    "api_port": PORT,
    "secrets_delivery": "file",
    "db_app_user": "notes",
    "db_app_password": "a secret of the application's",
    "cache_user": "notes",
    "cache_password": "a secret of the cache's",
    "stack_verify_timeout_seconds": 10,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("own") / "project")
    add_notes(project)
    try:
        yield project
    finally:
        play(project, "playbooks/stop.yml")


def play(project: Project, playbook: str = "site.yml", **changes: Any) -> Run:
    values = json.dumps(VALUES | changes)
    return project.run(playbook, "-i", "inventories/dev.yml", "-e", values)


def test_it_comes_up_and_each_declared_check_is_a_proof(project: Project) -> None:
    run = play(project)
    assert run.returncode == 0, run.output
    assert SUMMARY in run.output
    written = report(project.output("dev"))
    names = [proof["name"] for proof in written["proofs"]]
    assert names[: len(PROOFS) + 2] == ["health", "versions", *PROOFS]
    assert not OF_TASKS & set(names)
    assert written["ok"]
    assert written["application"] == SETTINGS["app_folder"]


def test_its_tables_are_its_own(project: Project) -> None:
    stack = Stack(project.output("dev"), api_port=PORT)
    assert stack.request("PUT", "/notes/kept", {"text": "olá"})[0] == 201
    assert stack.sql("SELECT text FROM notes.notes WHERE name = 'kept'") == "olá"
    rights = "SELECT has_table_privilege('notes', 'public.tasks', 'SELECT')"
    assert stack.sql(rights) == "f"


def test_a_second_run_changes_nothing(project: Project) -> None:
    run = play(project)
    assert run.returncode == 0, run.output
    assert recap(run.output)["changed"] == 0


def test_an_answer_that_is_not_the_declared_one_is_named(project: Project) -> None:
    wrong = {"name": "missing", "path": "/notes/none", "status": 404, "json": {"error": "gone"}}
    run = play(project, app_checks=[wrong])
    assert run.returncode != 0
    assert "dev (embedded) breaks a promise: missing" in run.output
    assert 'expected  GET /notes/none answers with json.error "gone"' in run.output
    assert 'got       "no such note" in 404' in run.output


def test_without_checks_it_says_that_only_health_is_known(project: Project) -> None:
    run = play(project, app_checks=[])
    assert run.returncode == 0, run.output
    assert "unknown: whether it does what it should: app_checks declares nothing" in run.output
    assert "1 of them seen in part only" in run.output
