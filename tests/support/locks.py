"""The lock files: what is installed, exactly and by hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.project import ROOT

CONTROL = ROOT / "requirements.txt"
DEVELOPMENT = ROOT / "requirements-dev.txt"
PEERS = ROOT / "bench/peers/requirements.txt"
API = ROOT / "app/api/requirements.txt"
NOTES = ROOT / "tests/applications/notes/requirements.txt"
API_BUILD = ROOT / "app/api/requirements-build.txt"
POSTGRES = ROOT / "app/base/postgres/requirements.txt"
ALL = (CONTROL, DEVELOPMENT, PEERS, API, API_BUILD, POSTGRES, NOTES)


@dataclass(frozen=True)
class Pin:
    """One release: ``hashes`` are SHA-256 digests of its files, any of which will do."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def version(self) -> str:
        """The one version that is allowed. Raises AssertionError for anything but ``==``."""
        (specifier,) = self.requirement.specifier
        assert specifier.operator == "=="
        return specifier.version

    def applies(self, python: str | None = None) -> bool:
        """Whether its marker holds on this Python, or on another version such as 3.11.2."""
        return applies(self.requirement, python)


def applies(requirement: Requirement, python: str | None = None) -> bool:
    """Whether the marker of a requirement holds, on this Python or on another version such as 3.11.2."""
    environment = {"extra": ""}
    if python:
        environment |= {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def pins(lock: Path) -> dict[str, Pin]:
    """What a lock file installs, by normalised name."""
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        words, *hashes = re.split(r"\s--hash=sha256:", line)
        requirement = Requirement(words)
        found[canonicalize_name(requirement.name)] = Pin(
            requirement, frozenset(value.strip() for value in hashes)
        )
    return found
