"""What is installed is fixed by hash, from one place, in every place that installs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import locks
from tests.support.project import ROOT


@pytest.mark.parametrize("lock", locks.ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_pin_has_one_version_and_hashes(lock: Path) -> None:
    pins = locks.pins(lock)
    assert pins
    for name, pin in pins.items():
        assert pin.version, name
        assert pin.hashes, name
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in pin.hashes), name


def test_a_package_has_the_same_version_and_hashes_in_every_lock_of_the_project() -> None:
    seen: dict[str, locks.Pin] = {}
    for lock in (locks.DEVELOPMENT, locks.CONTROL, locks.API, locks.POSTGRES, locks.NOTES):
        for name, pin in locks.pins(lock).items():
            first = seen.setdefault(name, pin)
            assert (pin.version, pin.hashes) == (first.version, first.hashes), (
                f"{name} in {lock.relative_to(ROOT)}: run `make lock`"
            )


@pytest.mark.parametrize(
    ("named", "lock"),
    [
        ("requirements.in", locks.CONTROL),
        ("requirements-dev.in", locks.DEVELOPMENT),
        ("bench/peers/requirements.in", locks.PEERS),
    ],
)
def test_a_lock_has_what_was_asked_for(named: str, lock: Path) -> None:
    pins = locks.pins(lock)
    for line in (ROOT / named).read_text(encoding="utf-8").splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted and not wanted.startswith("-r"):
            requirement = Requirement(wanted)
            version = pins[canonicalize_name(requirement.name)].version
            assert requirement.specifier.contains(version), f"{wanted}: run `make lock`"


def test_whatever_installs_checks_hashes_or_fetches_nothing() -> None:
    """Every `pip install` of the Makefile and the images; what a message or comment says is not run."""
    files = subprocess.run(
        ["git", "ls-files", "Makefile", "*Dockerfile"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    commands = []
    for name in files:
        text = (ROOT / name).read_text(encoding="utf-8")
        text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
        commands += re.findall(r"\bpip (?:--python \S+ )?(?:install|wheel)\b[^&;\n]*", text)
    assert len(commands) >= 5
    for command in commands:
        assert re.search(r"--require-hashes|--no-index", command), command
