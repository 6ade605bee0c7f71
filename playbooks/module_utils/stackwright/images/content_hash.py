"""Name a build by what goes into it: a hash over the files of a folder and the words that steer its build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ..rendering.ignored_files import is_leftover

DIGITS = 12


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
