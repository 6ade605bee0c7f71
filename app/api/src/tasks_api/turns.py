"""Turns: how many threads work at a time, so that those who wait take nobody else's place.

A thread of the server that waits (for a body that does not come, a database that stands still) does
no harm but to be missing: a handful of them, and nobody is served. More threads for everything are
no remedy: the server starts one whenever a request has to queue, so all of them work when it is
busy, in each other's way (16 instead of 4 cost 7 %, 32 cost 25 %, and p99 triples). So there are
many threads, of which a few have a **turn** to work, the others being kept in **reserve**:

- a thread that has answered, while `limit` others work, goes into reserve instead of back to the
  server;
- a thread that is about to wait gives its turn to one from the reserve (or, if that is empty, to
  one the server starts), and takes it up again afterwards, if there are more than `limit` for a
  moment.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

_NO_LIMIT = 2**31


class NoRoom(Exception):
    """As many threads wait already as may."""


class Turns:
    """The turns of one process; safe to share between threads."""

    def __init__(self) -> None:
        self.limit = _NO_LIMIT
        """How many threads work at a time."""
        self.room = _NO_LIMIT
        """How many may wait at a time, those apart that `must`."""
        self._working = self._waiting = self._reserved = 0
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
        with self._lock:
            if self._waiting >= self.room and not must:
                raise NoRoom("too many requests wait already")
            self._waiting += 1
            self._working -= 1
            if self._reserved:
                self._reserved -= 1
                self._wake.put(None)
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                self._working += 1


TURNS = Turns()
"""Those of this process; without limits until `server` sets some."""
