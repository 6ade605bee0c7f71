"""Which commit a folder of sources comes from, as git says."""

from __future__ import annotations

import subprocess
from pathlib import Path

ANSWER_SECONDS = 10
UNKNOWN = "unknown"


def revision_of(folder: Path) -> str:
    """The last commit that changed ``folder``, with ``-modified`` where files differ from it.

    A commit elsewhere in the repository does not move it. ``unknown`` outside of a checkout, and without git.
    """
    commit = _git(folder, "log", "-1", "--format=%H")
    if not commit:
        return UNKNOWN
    return f"{commit}-modified" if _git(folder, "status", "--porcelain") else commit


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments, "--", "."],
            capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
