"""A bounded pool of PostgreSQL connections, and a bounded queue in front of it.

psycopg2's own pool closes what it should keep and raises at once when exhausted; SQLAlchemy's makes
every request wait its full time behind a server that stands still.
"""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import extensions

from tasks_api.server.concurrency import SLOTS

_SOON_MILLISECONDS = 50
_WAITS_FOR = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}


class Exhausted(Exception):
    """All connections are in use, and none came free in time."""


class Connection(extensions.connection):  # type: ignore[misc]
    """A connection that gives up when `deadline`, a time of `time.monotonic`, has passed.

    A server that stands still (paused, or lost without a word) blocks libpq for good: no statement
    timeout and no keep-alive ends that. See "Coroutine support" in psycopg2's manual for how the
    waiting is done in Python instead.
    """

    deadline: float
    proven: bool
    """Whether it has answered a statement, so that its loss may be that of a restarted server."""

    def __init__(self, seconds_to_connect: float, *arguments: Any, **options: Any) -> None:
        self.deadline = time.monotonic() + seconds_to_connect
        self.proven = False
        self._prepared: dict[str, str] = {}
        super().__init__(*arguments, **options)

    def first_row(
        self, statement: str, parameters: Sequence[object], *, prepare: bool
    ) -> tuple[Any, ...] | None:
        """Run a statement, with a ``%s`` for each parameter, and return its first row.

        With `prepare` it is parsed, and in most cases planned, when it is run for the first time
        only: see PREPARE in PostgreSQL's manual. It then keeps a little memory in the server.

        Raises:
            psycopg2.Error: it failed, or the connection was lost.
        """
        cursor = self.cursor()
        if prepare:
            if statement not in self._prepared:
                self._prepared[statement] = _prepare(cursor, f"s{len(self._prepared)}", statement)
            statement = self._prepared[statement]
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return row


def _prepare(cursor: Any, name: str, statement: str) -> str:
    """Prepare `statement` under `name`; returns the statement that runs it."""
    *parts, end = statement.split("%s")
    numbered = "".join(f"{part}${number}" for number, part in enumerate(parts, 1))
    cursor.execute(f"PREPARE {name} AS {numbered}{end}")
    values = ", ".join(["%s"] * len(parts))
    return f"EXECUTE {name} ({values})" if parts else f"EXECUTE {name}"


def _wait(connection: Any) -> None:
    while (state := connection.poll()) != extensions.POLL_OK:
        poll = select.poll()
        poll.register(connection.fileno(), _WAITS_FOR[state])
        if not poll.poll(_SOON_MILLISECONDS):
            _wait_long(poll, getattr(connection, "deadline", None))


def _wait_long(poll: select.poll, deadline: float | None) -> None:
    """Wait on, while another thread works in place of this one."""
    with SLOTS.waiting(must=True):
        left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
        if not poll.poll(left):
            raise psycopg2.OperationalError("no answer within the deadline")


extensions.set_wait_callback(_wait)


class Pool:
    """At most `size` connections made by `connect`; the one used last is used next.

    Args:
        connect: makes a connection.
        size: how many there may be at a time.
        patience: seconds a request waits for one. When no connection came free for so long, the
            server stands still, and further requests are refused at once: they leave their threads
            to requests that need no database.
    """

    def __init__(self, connect: Callable[[], Connection], size: int, patience: float) -> None:
        self._connect = connect
        self._patience = patience
        self._free = threading.Semaphore(size)
        self._idle: deque[Connection] = deque()
        self._progress = time.monotonic()
        self._serves = True

    def take(self) -> Connection:
        """A connection that the server has not closed.

        Raises:
            Exhausted: none is free in time.
            psycopg2.Error: a new one cannot be made.
        """
        self._queue()
        try:
            while self._idle:
                connection = self._idle.pop()
                if not _has_ended(connection):
                    return connection
                connection.close()
            return self._connect()
        except BaseException:
            self._serves = False
            self._free.release()
            raise

    def give(self, connection: Connection) -> None:
        """Put a connection back, or drop it if it is closed."""
        self._serves = not connection.closed
        if self._serves:
            self._idle.append(connection)
            self._progress = time.monotonic()
        self._free.release()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _queue(self) -> None:
        if self._free.acquire(blocking=False):
            if self._serves:
                self._progress = time.monotonic()
            return
        patience = self._progress + self._patience - time.monotonic()
        if patience <= 0:
            raise Exhausted("all connections are in use, and none has come free for long")
        soon = min(patience, _SOON_MILLISECONDS / 1000)
        if self._free.acquire(timeout=soon):
            return
        with SLOTS.waiting():
            if not self._free.acquire(timeout=patience - soon):
                raise Exhausted("no connection came free in time")


def _has_ended(connection: Connection) -> bool:
    """Whether an idle connection was closed by the server (or, rarely, got a notice).

    Something to read means that. To ask the kernel costs next to nothing, a ping a round trip.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
