"""Which runtime an environment gets."""

from __future__ import annotations

import pytest
from stackwright.engine import Engine
from stackwright.problems import Problem
from stackwright.runtimes import RuntimeChoice, choose_runtime

WORKS = Engine(True, "Docker Engine 24.0 with Compose 2.20 answers", "24.0", "2.20")
NONE = Engine(False, "there is no docker client")


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
    assert choice.reason == "there is no docker client; `make engine` installs one"


def test_compose_without_an_engine_is_refused_with_the_cause_and_two_ways_out() -> None:
    problem = choose_runtime("compose", NONE, "the command line (-e)")
    assert isinstance(problem, Problem)
    assert problem.setting == "stack_runtime"
    assert "there is no docker client" in problem.reason
    assert "make engine" in problem.fix
    assert "embedded" in problem.fix
    assert problem.where == "the command line (-e)"
