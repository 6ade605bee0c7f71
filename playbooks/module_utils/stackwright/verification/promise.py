"""What a proof finds: a promise kept, or broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

API = "api"
DATABASE = "database"
CACHE = "cache"


@dataclass(frozen=True)
class Finding:
    """A promise that holds: one line of text, and the facts behind it for the report.

    ``unknown`` says what part of it could not be observed, if any: that part is neither kept nor broken.
    """

    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    unknown: str = ""


class BrokenPromiseError(Exception):
    """A promise that does not hold.

    Args:
        expected: what was promised.
        got: what was found instead.
        role: whose log tells more: ``api``, ``database``, ``cache``, or a service's name.
        fix: what to do, where the proof knows.
        promise: the promise's name, where it is not the running proof's.
    """

    def __init__(
        self, expected: str, got: str, *, role: str = API, fix: str = "", promise: str = ""
    ) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.role = role
        self.fix = fix
        self.promise = promise


@contextmanager
def promising(name: str) -> Iterator[None]:
    """Name the promise that breaks in this block, unless something inside knows better."""
    try:
        yield
    except BrokenPromiseError as broken:
        broken.promise = broken.promise or name
        raise
