"""An application of one's own: which checks it has, and how declared answers are compared with real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stackwright.secrets.masking import Masker
from stackwright.verification.checks.application import first_difference
from stackwright.verification.report import Outcome
from stackwright.verification.runner import verify
from stackwright.verification.target import Application, DeclaredCheck

from tests.unit.verification.verification_stack import Stack, running

FIRST_TASK = {"task": {"id": 1, "status": "completed"}}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running(tmp_path) as server:
        yield server


def run(
    stack: Stack, *checks: dict[str, Any], health: str = "/health", own: bool = True
) -> Outcome:
    """Verify the server as an application that promises no more than ``checks``."""
    declared = [DeclaredCheck(**check) for check in checks]
    application = Application("apps/own", own, health, declared)
    target = stack.target(application=application, expected_services={})
    return verify(target, stack.path.parent, Masker([]))


def names(outcome: Outcome) -> list[str]:
    return [proof.name for proof in outcome.proofs]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}),
        ([{"a": 1}, 2], [{"a": 1, "b": 2}, 2]),
        (1, 1.0),
        (True, True),
    ],
)
def test_what_is_more_than_wanted_is_no_difference(wanted: object, found: object) -> None:
    assert first_difference(wanted, found) is None


@pytest.mark.parametrize(
    ("wanted", "found", "difference"),
    [
        ({"a": 1}, {}, ("json.a", "1", "no such member")),
        ({"a": {"b": 1}}, {"a": None}, ("json.a", '{"b": 1}', "null")),
        ({"a": [1, 2]}, {"a": [1, 3]}, ("json.a[1]", "2", "3")),
        ([1], [1, 2], ("json", "[1]", "[1, 2]")),
        (True, 1, ("json", "true", "1")),
        ("1", 1, ("json", '"1"', "1")),
        ({}, [], ("json", "{}", "[]")),
    ],
)
def test_the_first_difference_is_named(
    wanted: object, found: object, difference: tuple[str, str, str]
) -> None:
    assert first_difference(wanted, found) == difference


def test_declared_checks_are_proofs_of_their_own_in_their_order(stack: Stack) -> None:
    outcome = run(
        stack,
        {"name": "first", "path": "/tasks/1", "json": FIRST_TASK, "text": "Setup Docker"},
        {"name": "absent", "path": "/tasks/99", "status": 404},
    )
    assert outcome.message == ""
    assert names(outcome) == ["health", "versions", "first", "absent", "ports"]
    assert outcome.as_json()["application"] == "apps/own"
    assert "GET /tasks/1 answers 200, json" in outcome.proofs[2].line


def test_nothing_is_written_and_no_sql_is_run_unasked(stack: Stack) -> None:
    before = stack.read()
    run(stack, {"name": "absent", "path": "/tasks/99", "status": 404})
    assert stack.read()["statements"] == before["statements"] == []


@pytest.mark.parametrize(
    ("check", "expected", "got"),
    [
        ({"status": 201}, "GET /tasks/1 answers 201", "200 {"),
        ({"json": {"task": {"id": 2}}}, "GET /tasks/1 answers with json.task.id 2", "1 in 200 {"),
        ({"text": "Kubernetes"}, "GET /tasks/1 answers with the text 'Kubernetes'", "200 {"),
    ],
)
def test_a_wrong_answer_says_request_expected_and_got(
    stack: Stack, check: dict[str, Any], expected: str, got: str
) -> None:
    outcome = run(stack, {"name": "first", "path": "/tasks/1", **check})
    assert names(outcome)[-1] == "first"
    assert "breaks a promise: first" in outcome.message
    assert f"expected  {expected}" in outcome.message
    assert f"got       {got}" in outcome.message


def test_an_application_that_is_not_ready_fails_at_its_health_path(stack: Stack) -> None:
    outcome = run(stack, health="/nowhere")
    assert names(outcome) == ["health"]
    assert "expected  GET /nowhere answers 200 within 0.5 s" in outcome.message


def test_without_checks_nothing_but_health_is_claimed(stack: Stack) -> None:
    outcome = run(stack)
    assert outcome.message == ""
    (proof,) = (proof for proof in outcome.proofs if proof.name == "declared")
    assert proof.unknown == "whether it does what it should: app_checks declares nothing"


def test_the_tasks_api_may_have_declared_checks_too(stack: Stack) -> None:
    outcome = run(stack, {"name": "first", "path": "/tasks/1", "json": FIRST_TASK}, own=False)
    assert outcome.message == ""
    assert names(outcome)[-3:] == ["json", "first", "ports"]
