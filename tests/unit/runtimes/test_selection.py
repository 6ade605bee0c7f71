"""Which runtime an environment gets."""

from __future__ import annotations

import os

import pytest
from stackwright.runtimes.base import RuntimeChoice, choose_runtime
from stackwright.runtimes.compose.engine import Engine
from stackwright.settings.problems import Problem

WORKS = Engine(True, "Docker Engine 24.0 with Compose 2.20 answers", "24.0", "2.20")
NONE = Engine(False, "there is no docker client")
SILENT = Engine(False, "the Docker engine did not answer within 15 s", unknown=True)
DENIED = Engine(False, "this user may not use its socket", denied=True, unknown=True)


@pytest.mark.parametrize(
    ("wanted", "engine", "name"),
    [
        ("auto", WORKS, "compose"),
        ("auto", NONE, "embedded"),
        ("embedded", WORKS, "embedded"),
        ("embedded", NONE, "embedded"),
        ("compose", WORKS, "compose"),
    ],
)
def test_the_choice(wanted: str, engine: Engine, name: str) -> None:
    choice = choose_runtime(wanted, engine, "somewhere")
    assert isinstance(choice, RuntimeChoice)
    assert choice.name == name
    assert "\n" not in choice.reason
    assert choice.reason


def test_auto_says_why_it_does_without_an_engine_and_how_to_get_one() -> None:
    choice = choose_runtime("auto", NONE, "somewhere")
    assert isinstance(choice, RuntimeChoice)
    command = "make engine" if os.geteuid() == 0 else "sudo make engine"
    assert choice.reason == f"there is no docker client; `{command}` installs one"


@pytest.mark.parametrize("engine", [NONE, SILENT, DENIED])
def test_auto_starts_nothing_beside_containers_that_were_started(engine: Engine) -> None:
    problem = choose_runtime("auto", engine, "somewhere", "dev", ["compose"])
    assert isinstance(problem, Problem)
    assert engine.reason in problem.reason
    assert "nothing is started beside them" in problem.reason
    assert "make up ENV=dev RUNTIME=embedded" in problem.fix
    assert isinstance(
        choose_runtime("embedded", engine, "somewhere", "dev", ["compose"]), RuntimeChoice
    )
    assert isinstance(choose_runtime("auto", WORKS, "somewhere", "dev", ["compose"]), RuntimeChoice)


@pytest.mark.parametrize("engine", [SILENT, DENIED])
def test_auto_takes_embedded_where_nothing_was_started_and_says_how_to_get_an_answer(
    engine: Engine,
) -> None:
    choice = choose_runtime("auto", engine, "somewhere", "dev", ["embedded"])
    assert isinstance(choice, RuntimeChoice)
    assert choice.name == "embedded"
    assert "make engine" not in choice.reason  # it is installed already
    assert ("group docker" in choice.reason) is engine.denied


def test_a_user_who_is_not_root_is_not_sent_to_what_refuses_him(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    problem = choose_runtime("compose", NONE, "somewhere")
    assert isinstance(problem, Problem)
    assert "`sudo make engine`" in problem.fix
    assert "group docker" in problem.fix
    choice = choose_runtime("auto", NONE, "somewhere")
    assert isinstance(choice, RuntimeChoice)
    assert "`sudo make engine`" in choice.reason


def test_compose_without_an_engine_is_refused_with_the_cause_and_two_ways_out() -> None:
    problem = choose_runtime("compose", NONE, "the command line (-e)")
    assert isinstance(problem, Problem)
    assert problem.setting == "stack_runtime"
    assert "there is no docker client" in problem.reason
    assert "make engine" in problem.fix
    assert "embedded" in problem.fix
    assert problem.where == "the command line (-e)"
