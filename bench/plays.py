"""Timed runs of playbooks and docker commands, and what makes one of them invalid."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from tests.support.project import Project, Run, like_dev

CHANGED = re.compile(r"^\S+ +: ok=\d+ +changed=(\d+) ", re.MULTILINE)
SETTINGS = like_dev("bench-pT7-9zQ-unlikely")
HANG_SECONDS = 600  # only to end a command that hangs


class BrokenRunError(Exception):
    """A run that failed, or changed something where nothing was to change: its time means nothing."""


def _check(done: Run, what: str, noop: bool) -> None:
    changed = [int(count) for count in CHANGED.findall(done.output)]
    if done.returncode != 0 or not changed:
        raise BrokenRunError(f"{what} failed with exit code {done.returncode}:\n{done.output}")
    if noop and any(changed):
        raise BrokenRunError(
            f"{what} changed {sum(changed)} things where nothing was to change:\n{done.output}"
        )


def play(project: Project, inventory: str, playbook: str, noop: bool = False) -> float:
    """Seconds of one ``ansible-playbook`` call. Raises BrokenRunError; with ``noop`` also unless changed=0."""
    begin = time.monotonic()
    done = project.run("-i", f"inventories/{inventory}.yml", playbook)
    seconds = time.monotonic() - begin
    _check(done, f"{playbook} for {inventory}", noop)
    return seconds


def docker(*words: str, cwd: Path) -> float:
    """Seconds of one docker command. Raises BrokenRunError."""
    begin = time.monotonic()
    done = subprocess.run(
        ["docker", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise BrokenRunError(f"docker {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return seconds
