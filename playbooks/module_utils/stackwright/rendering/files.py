"""A file of an environment as rendered in memory, and what tools and editors leave beside sources, which is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

PUBLIC, PROGRAM, PRIVATE, SECRET = 0o644, 0o755, 0o600, 0o400
# Shell patterns of a file's or folder's name. The .dockerignore of every build folder has them all as **/PATTERN:
# what a build sees and what its hash covers are the same.
LEFTOVERS = (
    "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "*.pyc", "*.egg-info",
    "*~", ".*.sw[a-p]", "#*#", ".#*", "*.bak", "*.orig", "*.rej",
)  # fmt: skip


@dataclass(frozen=True)
class RenderedFile:
    """One output file. ``owner`` is the user id that alone may read it, None for the user who writes."""

    content: bytes
    mode: int = PUBLIC
    owner: int | None = None


def is_leftover(parts: Iterable[str]) -> bool:
    """Whether one of a path's parts is a leftover, so that the file is none of ours."""
    return any(fnmatchcase(part, pattern) for part in parts for pattern in LEFTOVERS)
