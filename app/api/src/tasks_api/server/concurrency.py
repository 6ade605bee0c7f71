"""How many threads of a worker work at a time, while others wait for a body or for the database.

Needed because granian's `blocking_threads` limits both together, until it limits them apart, or takes
no thread for a request whose body has not come. A thread that waits does no harm but to be missing: a
handful of them, and nobody is served. So there are many threads. But granian starts one whenever a
request has to queue, and threads that all work are in each other's way. So a thread that has answered
while `limit` others work is parked here instead of going back to granian, until one of those waits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

_NO_LIMIT = 2**31


class TooManyWaiting(Exception):
    """As many threads wait already as may."""


class Slots:
    """The slots for working threads of one process; safe to share between threads."""

    def __init__(self) -> None:
        self.limit = _NO_LIMIT
        """How many threads work at a time."""
        self.room = _NO_LIMIT
        """How many may wait at a time, those apart that `must`."""
        self._working = self._parked = self._waiting = 0
        self._lock = threading.Lock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.local()

    @property
    def held(self) -> bool:
        """Whether the current thread has a slot: one of granian's has, with a request."""
        return getattr(self._thread, "held", False)

    def begin(self) -> None:
        """Take a slot: the current thread has been given a request."""
        self._thread.held = True
        self.take_back()

    def end(self, *, may_park: bool) -> None:
        """Give the slot back, the request being answered.

        Args:
            may_park: whether the thread may stay here until it is needed.
        """
        self._thread.held = False
        with self._lock:
            self._working -= 1
            if self._working < self.limit or not may_park:
                return
            self._parked += 1
        self._wake.get()

    def lend(self) -> None:
        """Let another thread work in place of one that waits."""
        with self._lock:
            self._working -= 1
            if self._parked:
                self._parked -= 1
                self._wake.put(None)

    def take_back(self) -> None:
        """Count a thread that works again; for a moment there may be more than `limit`."""
        with self._lock:
            self._working += 1

    @contextmanager
    def waiting(self, *, must: bool = False) -> Iterator[None]:
        """Lend the current thread's slot for as long as the context lasts; worth it for long waits.

        Args:
            must: wait even without room, as the work cannot be given up.

        Raises:
            TooManyWaiting: do not wait.
        """
        if not self.held:
            yield
            return
        with self._lock:
            if not must and self._waiting >= self.room:
                raise TooManyWaiting("too many requests wait already")
            self._waiting += not must
        self.lend()
        try:
            yield
        finally:
            self.take_back()
            with self._lock:
                self._waiting -= not must


SLOTS = Slots()
"""Those of this process; without limits until `workers` sets some."""
