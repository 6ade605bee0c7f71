"""Whose turn it is: a few threads work at a time, and waiting for a client's body is no work.

granian hands a request to a thread as soon as its head is there, and reading the body blocks that
thread until the client sends it. A few silent clients would hold all of a few threads, and many
threads instead of a few cost a quarter of the speed. So there are many threads, but all except a few
are **parked**. A thread that waits for a body lets a parked one go on in its place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

_PARKED_SECONDS = 1.0


class Turns:
    """The turns of one process.

    Args:
        turns: how many threads work at a time.
        reserve: how many may wait for bodies beside those.
    """

    def __init__(self, turns: int, reserve: int) -> None:
        self._turns = turns
        self._reserve = reserve
        self._lock = threading.Lock()
        self._working = self._waiting = self._parked = 0
        self._go_on: SimpleQueue[None] = SimpleQueue()

    def take(self) -> None:
        """Count this thread as working."""
        with self._lock:
            self._working += 1

    def give(self) -> None:
        """End this thread's turn. While enough others work without it, return only when needed.

        Now and then it returns all the same: granian may wait for its threads, to end.
        """
        with self._lock:
            self._working -= 1
            if self._working < self._turns:
                return
            self._parked += 1
        try:
            self._go_on.get(timeout=_PARKED_SECONDS)
        except Empty:
            with self._lock:
                if self._go_on.empty():
                    self._parked -= 1
                else:  # it was meant for this thread, and came at the last moment
                    self._go_on.get()

    def wait(self, read: Callable[[], bytes]) -> bytes | None:
        """What `read` returns, another thread working meanwhile; None if too many wait already."""
        with self._lock:
            if self._waiting >= self._reserve:
                return None
            self._waiting += 1
            self._working -= 1
            if self._parked:
                self._parked -= 1
                self._go_on.put(None)
        try:
            return read()
        finally:
            with self._lock:
                self._waiting -= 1
                self._working += 1
