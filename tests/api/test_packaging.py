"""What the image installs is complete, exact, and what these tests ran with."""

from __future__ import annotations

import tomllib
from importlib.metadata import requires, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.api.servers import API_SOURCE
from tests.support import locks

FOLDER = API_SOURCE.parent


def pins(python: str | None = None) -> dict[str, str]:
    """Return name and version of what requirements.txt installs on a version of Python."""
    locked = locks.pins(locks.API)
    return {name: pin.version for name, pin in locked.items() if pin.applies(python)}


def direct() -> list[Requirement]:
    """Return the dependencies pyproject.toml declares."""
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(line) for line in project["dependencies"]]


@pytest.mark.parametrize("python", ["3.11.2", "3.11.14", "3.13.5"])
def test_requirements_are_the_direct_ones_and_all_they_need(python: str) -> None:
    needed: set[str] = set()
    queue = direct()
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        if name in needed or not locks.applies(requirement, python):
            continue
        needed.add(name)
        if name != "async-timeout":  # needs nothing on 3.11, and is not installed on later ones
            queue += map(Requirement, requires(name) or [])
    assert needed == set(pins(python))


def test_pins_satisfy_what_is_declared() -> None:
    for requirement in direct():
        assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_tests_run_with_the_pinned_versions() -> None:
    assert {name: version(name) for name in pins()} == pins()
