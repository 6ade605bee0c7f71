"""Bodies that are waited for, and which of them make way when there are too many.

Each takes a thread, for the server's `read` returns when the body has come, or its connection ends.
One that is there already is read at once and counts for nothing; of those that are late, each client
keeps its share of the newest, and all together keep as many as there are places. The others are
answered 503 here, while their threads still read: a client that minds the answer ends its connection,
and so does the thread's `read`. Connections of those that do not are ended by `read_timeout`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any

from tasks_api.errors import Busy, as_response
from tasks_api.http.messages import current

PROTOCOL = "tasks_api.protocol"
"""Where the WSGI environment has what granian sends answers with, from any thread."""
PLACES = 32
"""How many late bodies a worker waits for, of the MOST_WAITING of `workers`."""
SHARE = 8
"""How many of them are one client's."""
_LATE_SECONDS = 0.025


class Wait:
    """A thread that reads a body, for as long as the context lasts."""

    __slots__ = ("_bodies", "began", "client", "environ", "given_up", "identity")

    def __init__(self, bodies: Bodies, environ: dict[str, Any], client: str) -> None:
        self._bodies = bodies
        self.environ, self.client = environ, client
        request = current.get(None)
        self.identity = request.id if request else None
        self.began = time.monotonic()
        self.given_up = 0.0
        """When its client was told that nobody waits any longer; 0 if that has not been done."""

    def __enter__(self) -> Wait:
        self._bodies.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bodies.remove(self)

    def refuse(self) -> None:
        """Answer the request, in place of the thread that reads."""
        response = as_response(Busy())
        length = str(len(response.body))
        response.headers |= {"Content-Length": length, "Connection": "close"}
        if self.identity:
            response.headers["X-Request-ID"] = self.identity
        if protocol := self.environ.get(PROTOCOL):
            protocol.response_bytes(response.status, list(response.headers.items()), response.body)


class Bodies:
    """All that one process waits for; safe to share between threads.

    Args:
        places: how many may be late at a time.
        share: how many of these may be one client's.
    """

    def __init__(self, places: int = PLACES, share: int = SHARE) -> None:
        self._places, self._share = places, share
        self._waits: dict[Wait, None] = {}  # oldest first
        self._lock = threading.Lock()
        self.crowded = threading.Event()
        """Set while there may be somebody to make way."""

    def wait(self, environ: dict[str, Any], client: str) -> Wait:
        """The context in which the current thread reads the body of `client`, an address."""
        return Wait(self, environ, client)

    def add(self, wait: Wait) -> None:
        """Count a wait that begins."""
        with self._lock:
            self._waits[wait] = None
            if len(self._waits) > self._share:
                self.crowded.set()

    def remove(self, wait: Wait) -> None:
        """Count it no more; it will not be given up from now on."""
        with self._lock:
            del self._waits[wait]

    def longest_wait(self) -> float:
        """For how many seconds a body has been waited for; 0 if none is."""
        with self._lock:
            oldest = next(iter(self._waits), None)
        return time.monotonic() - oldest.began if oldest else 0.0

    def make_way(self) -> list[Wait]:
        """Give up those that are too many. Returns all that were given up and are still read."""
        now = time.monotonic()
        with self._lock:
            late = [wait for wait in self._waits if now - wait.began >= _LATE_SECONDS]
            surplus = self._surplus([wait for wait in late if not wait.given_up])
            for wait in surplus:
                wait.given_up = now
            if len(self._waits) <= self._share and not any(wait.given_up for wait in late):
                self.crowded.clear()
        for wait in surplus:
            wait.refuse()
        return [wait for wait in late if wait.given_up]

    def _surplus(self, waits: list[Wait]) -> list[Wait]:
        kept: Counter[str] = Counter()
        surplus = []
        for wait in reversed(waits):
            if kept[wait.client] < self._share and kept.total() < self._places:
                kept[wait.client] += 1
            else:
                surplus.append(wait)
        return surplus


BODIES = Bodies()
"""Those of this process."""
