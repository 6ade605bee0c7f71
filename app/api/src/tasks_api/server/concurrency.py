"""Turns: how many threads work at a time, so that those who wait take nobody else's place.

A thread of the server that waits (for a body that does not come, a database that stands still) does
no harm but to be missing: a handful of them, and nobody is served. More threads for everything are
no remedy: the server starts one whenever a request has to queue, so all of them work when it is
busy, in each other's way (16 instead of 4 cost 7 %, 32 cost 25 %, and p99 triples). So there are
many threads, of which a few have a **turn** to work, the others being kept in **reserve**:

- a thread that has answered, while `limit` others work, goes into reserve instead of back to the
  server;
- a thread that waits gives its turn to one from the reserve (or, if that is empty, to one the
  server starts), and takes it up again afterwards, if there are more than `limit` for a moment.

Most waits are over at once, and passing a turn on costs half as much as a whole request. So it is
passed on by a thread that looks every few milliseconds who still waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

_NO_LIMIT = 2**31
_LOOK_SECONDS = 0.025
_IDLE_LOOKS = 40


class NoRoom(Exception):
    """As many threads wait already as may."""


class Turns:
    """The turns of one process; safe to share between threads."""

    def __init__(self) -> None:
        self.limit = _NO_LIMIT
        """How many threads work at a time."""
        self.room = _NO_LIMIT
        """How many may wait at a time, those apart that `must`."""
        self._working = self._reserved = self._room_taken = 0
        self._waits: dict[int, bool] = {}
        """The threads that wait, and whether they have been seen to."""
        self._lent: set[int] = set()
        """Those of them whose turn has been passed on."""
        self._lender: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.local()

    def begin(self) -> None:
        """Take a turn: the current thread has been given a request."""
        self._thread.works = True
        with self._lock:
            self._working += 1

    def end(self, *, may_rest: bool) -> None:
        """Give the turn back, the request being answered.

        Args:
            may_rest: whether the thread may stay here, in reserve, until it is needed.
        """
        self._thread.works = False
        with self._lock:
            self._working -= 1
            if self._working < self.limit or not may_rest:
                return
            self._reserved += 1
        self._wake.get()

    @contextmanager
    def waiting(self, *, must: bool = False) -> Iterator[None]:
        """Give the turn away for as long as the context lasts.

        Args:
            must: wait even without room, as the work cannot be given up.

        Raises:
            NoRoom: do not wait.
        """
        if not getattr(self._thread, "works", False):  # a thread of our own, which has no turn
            yield
            return
        thread = threading.get_ident()
        with self._lock:
            if not must:
                if self._room_taken >= self.room:
                    raise NoRoom("too many requests wait already")
                self._room_taken += 1
            self._waits[thread] = False
            if self._lender is None:
                lender = threading.Thread(target=self._lend, name="turns", daemon=True)
                # Where there are no more threads the turn is kept; the next who waits tries again.
                with suppress(RuntimeError):
                    lender.start()
                    self._lender = lender
        try:
            yield
        finally:
            with self._lock:
                self._room_taken -= not must
                del self._waits[thread]
                if thread in self._lent:
                    self._lent.remove(thread)
                    self._working += 1

    def _lend(self) -> None:
        """Pass on the turns of those who wait; ends when nobody has waited for a while."""
        idle = 0
        while idle < _IDLE_LOOKS:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                idle = 0 if self._waits else idle + 1
                for thread, seen in self._waits.items():
                    if not seen:
                        self._waits[thread] = True
                    elif thread not in self._lent:
                        self._lent.add(thread)
                        self._working -= 1
                        if self._reserved:
                            self._reserved -= 1
                            self._wake.put(None)
                if idle == _IDLE_LOOKS:
                    self._lender = None


TURNS = Turns()
"""Those of this process; without limits until `server` sets some."""
