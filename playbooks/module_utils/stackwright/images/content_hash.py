"""Name a build by what goes into it: a hash over files and words for programs, a commit for people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from ..rendering.files import is_leftover
from ..system import ANSWER_SECONDS, run

DIGITS = 12
UNKNOWN = "unknown"


def input_files(folder: Path) -> list[Path]:
    """The files of ``folder`` that may go into a build, sorted by their path below it."""
    return sorted(
        path
        for path in folder.rglob("*")
        if not is_leftover(path.relative_to(folder).parts) and path.is_file()
    )


def content_hash(folders: Iterable[Path], words: Iterable[str] = ()) -> str:
    """First 12 hex digits of a SHA-256 over relative paths, execute bits and contents, then ``words``.

    Lengths go in too, so that moving a byte from one part to the next gives another hash.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for path in input_files(folder):
            content = path.read_bytes()
            executable = bool(path.stat().st_mode & 0o100)
            digest.update(f"{path.relative_to(folder)}\0{executable}\0{len(content)}\0".encode())
            digest.update(content)
    for word in words:
        digest.update(f"{len(word)}\0{word}".encode())
    return digest.hexdigest()[:DIGITS]


def revision_of(folder: Path) -> str:
    """The last commit that changed ``folder``, with ``-modified`` where files differ from it.

    A commit elsewhere in the repository does not move it. ``unknown`` outside of a checkout, and without git.
    """
    commit = _git(folder, "log", "-1", "--format=%H")
    if not commit:
        return UNKNOWN
    return f"{commit}-modified" if _git(folder, "status", "--porcelain") else commit


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments, "--", "."]
    done = run(command, ANSWER_SECONDS)
    return done.out.strip() if done.code == 0 else ""


def locked(text: str) -> dict[str, str]:
    """Version by name in a lock file."""
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", text, re.MULTILINE))
