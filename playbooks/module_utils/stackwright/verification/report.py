"""What checks find, and what a whole verification found."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..secrets.masking import Masker

API = "api"
DATABASE = "database"
CACHE = "cache"


@dataclass(frozen=True)
class Finding:
    """A check that holds: one line of text, and the facts behind it for the report.

    ``unknown`` says what part of it could not be observed, if any: that part neither holds nor fails.
    """

    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    unknown: str = ""


class CheckFailed(Exception):
    """A check that does not hold.

    Args:
        expected: what should be.
        got: what was found instead.
        role: whose log tells more: ``api``, ``database``, ``cache``, or a service's name.
        fix: what to do, where the check knows.
        check: the check's name, where it is not the running one's.
    """

    def __init__(
        self, expected: str, got: str, *, role: str = API, fix: str = "", check: str = ""
    ) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.role = role
        self.fix = fix
        self.check = check


@contextmanager
def belonging_to(check: str) -> Iterator[None]:
    """Name the check that fails in this block, unless something inside knows better."""
    try:
        yield
    except CheckFailed as failed:
        failed.check = failed.check or check
        raise


@dataclass(frozen=True)
class Result:
    """One check's result; ``seconds`` is how long it took, ``unknown`` what could not be observed, see Finding."""

    name: str
    ok: bool
    text: str
    seconds: float
    evidence: Mapping[str, Any] = field(default_factory=dict)
    unknown: str = ""

    @property
    def line(self) -> str:
        """The result in one printable line."""
        state = ("partly" if self.unknown else "ok") if self.ok else "BROKEN"
        rest = f"; unknown: {self.unknown}" if self.unknown else ""
        return f"{state:<6} {self.name:<8} {self.text}{rest}"

    def masked(self, masker: Masker) -> Result:
        """The same without secrets, its texts in one line."""
        text, unknown = (" ".join(masker.text(part).split()) for part in (self.text, self.unknown))
        return replace(self, text=text, unknown=unknown, evidence=masker.tree(dict(self.evidence)))


def result_of(name: str, check: Callable[[], Finding]) -> tuple[Result, CheckFailed | None]:
    """Run a check; returns its result, and why it failed if it did."""
    clock = time.monotonic()
    try:
        found, failed = check(), None
    except CheckFailed as caught:
        failed, name = caught, caught.check or name
        evidence = {"expected": failed.expected, "got": failed.got}
        found = Finding(f"expected {failed.expected}; got {failed.got}", evidence)
    seconds = round(time.monotonic() - clock, 3)
    return Result(name, not failed, found.text, seconds, found.evidence, found.unknown), failed


@dataclass(frozen=True)
class Outcome:
    """A whole verification.

    ``application`` is the folder of what was verified; ``message`` explains the check that failed, empty if none did.
    """

    environment: str
    runtime: str
    application: str
    started: str
    seconds: float
    proofs: list[Result]
    services: dict[str, str]
    seeded_tasks: int
    leftovers: list[str]
    message: str

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return not self.message

    def as_json(self) -> dict[str, Any]:
        """The report: environment, runtime, application, started (ISO 8601, UTC), seconds, ok, proofs, services."""
        return {"ok": self.ok, **asdict(self)}


def as_file(report: Mapping[str, Any]) -> bytes:
    """The report as it is kept in a file."""
    return json.dumps(report, indent=2, ensure_ascii=False).encode() + b"\n"
