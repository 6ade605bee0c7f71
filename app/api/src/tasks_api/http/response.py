"""An answer on its way out, whoever gave it: Flask, or the layer ahead of it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


@dataclass(slots=True)
class Answer:
    """Status, body and headers, complete in memory: the largest is a list of tasks."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def status_line(self) -> str:
        """Status and reason, as WSGI wants them."""
        return _LINES.get(self.status) or f"{self.status} Unknown"

    def add_vary(self, header: str) -> None:
        """Tell caches that the answer depends on a request header."""
        vary = self.headers.get("Vary")
        self.headers["Vary"] = f"{vary}, {header}" if vary else header
