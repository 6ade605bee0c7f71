"""Word from other processes of the API, by PostgreSQL's LISTEN and NOTIFY."""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Callable

import psycopg2  # type: ignore[import-untyped]

from tasks_api.pool import Connection

CHANNEL = "tasks_cache"
NOTIFY = f"SELECT pg_notify('{CHANNEL}', '')"
"""The statement that calls `on_notice` in every process, this one included."""

_RETRY_SECONDS = 0.5

_logger = logging.getLogger(__name__)


class Notices:
    """Listens in a thread of its own, over a connection of its own.

    Args:
        connect: makes a connection. Raises psycopg2.Error.
        on_notice: called for each notice, and after a lost connection, when one may have been
            missed.
    """

    def __init__(self, connect: Callable[[], Connection], on_notice: Callable[[], object]) -> None:
        self._connect = connect
        self._on_notice = on_notice
        self._closing, self._closed = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name="notices", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closing.close()
        self._thread.join()
        self._closed.close()

    def _listen(self) -> None:
        missed = False
        while True:
            try:
                connection = self._connect()
                try:
                    connection.cursor().execute(f"LISTEN {CHANNEL}")
                    if missed:
                        self._on_notice()
                    missed = True
                    while self._waits(connection):
                        connection.poll()
                        if connection.notifies:
                            connection.notifies.clear()
                            self._on_notice()
                    return
                finally:
                    connection.close()
            except psycopg2.Error as error:
                _logger.debug("No notices: %s", error)
            if _readable(_RETRY_SECONDS, self._closed):
                return

    def _waits(self, connection: Connection) -> bool:
        """Wait for something to read; returns False if it is time to stop."""
        return self._closed.fileno() not in _readable(None, connection, self._closed)


def _readable(seconds: float | None, *files: socket.socket | Connection) -> set[int]:
    poll = select.poll()  # select() fails for descriptors from 1,024 on
    for file in files:
        poll.register(file.fileno(), select.POLLIN)
    return {number for number, _ in poll.poll(None if seconds is None else seconds * 1000)}
