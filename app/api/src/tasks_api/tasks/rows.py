"""Changes of one task, few at a time in each process.

PostgreSQL has changes of a row wait for each other anyway, each with a connection of its own. A row
that somebody keeps locked would soon hold all of them, and all requests wait for that one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tasks_api.errors import RETRY_LATER, ApiError
from tasks_api.server.concurrency import SLOTS, TooManyWaiting

_SOON_SECONDS = 0.05


class TaskLocked(ApiError):
    """503: others are changing the task, and take long."""

    status, code, headers = 503, "task_locked", RETRY_LATER
    message = "The task is being changed by others at the moment."


class _Row:
    """A task that is being changed: by how many, who waits for them, and when one of them ended."""

    __slots__ = ("changes", "progress", "waiting")

    def __init__(self) -> None:
        self.changes = 0
        self.waiting: deque[threading.Lock] = deque()
        self.progress = time.monotonic()


class Rows:
    """The tasks that are being changed; safe to share between threads.

    Args:
        most: how many changes of one task may be with the database.
        patience: seconds a change waits for those before it. When none has ended for so long, the
            row is locked, and further ones are refused at once.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._most = most
        self._patience = patience
        self._rows: dict[int, _Row] = {}
        self._lock = threading.Lock()

    @contextmanager
    def changing(self, task_id: int) -> Iterator[None]:
        """Be one of the few that change the task. Raises TaskLocked."""
        turn = None
        with self._lock:
            row = self._rows.get(task_id)
            if row is None:
                row = self._rows[task_id] = _Row()
            if row.changes < self._most:
                row.changes += 1
            elif len(row.waiting) < SLOTS.room // 2:  # the rest is for who waits for something else
                turn = threading.Lock()
                turn.acquire()
                row.waiting.append(turn)
            else:
                raise TaskLocked
        if turn:
            self._await(row, turn)
        try:
            yield
        finally:
            with self._lock:
                row.progress = time.monotonic()
                if row.waiting:
                    row.waiting.popleft().release()
                else:
                    row.changes -= 1
                    if not row.changes:
                        del self._rows[task_id]

    def _await(self, row: _Row, turn: threading.Lock) -> None:
        """Return once `turn` is released, which is then out of the queue, or raise TaskLocked."""
        if self._is_released(row, turn, _SOON_SECONDS):
            return
        try:
            with SLOTS.waiting():
                if self._is_released(row, turn, self._patience):
                    return
        except TooManyWaiting:
            pass
        with self._lock:
            if turn not in row.waiting:
                return
            row.waiting.remove(turn)
        raise TaskLocked

    def _is_released(self, row: _Row, turn: threading.Lock, most_seconds: float) -> bool:
        left = row.progress + self._patience - time.monotonic()
        return turn.acquire(timeout=max(min(left, most_seconds), 0))
