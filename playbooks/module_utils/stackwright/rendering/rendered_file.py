"""One file of an environment, as it was rendered in memory."""

from __future__ import annotations

from dataclasses import dataclass

PUBLIC, PROGRAM, PRIVATE, SECRET = 0o644, 0o755, 0o600, 0o400


@dataclass(frozen=True)
class RenderedFile:
    """One output file. ``owner`` is the user id that alone may read it, None for the user who writes."""

    content: bytes
    mode: int = PUBLIC
    owner: int | None = None
