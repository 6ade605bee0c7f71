"""What tools and editors leave beside sources: no part of a build, and no template."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

# Shell patterns of a file's or folder's name. The .dockerignore of every build folder has them all as **/PATTERN:
# what a build sees and what its hash covers are the same.
LEFTOVERS = (
    "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "*.pyc", "*.egg-info",
    "*~", ".*.sw[a-p]", "#*#", ".#*", "*.bak", "*.orig", "*.rej",
)  # fmt: skip


def is_leftover(parts: Iterable[str]) -> bool:
    """Whether one of a path's parts is a leftover, so that the file is none of ours."""
    return any(fnmatchcase(part, pattern) for part in parts for pattern in LEFTOVERS)
