"""Word between the processes of the API, by PostgreSQL's LISTEN and NOTIFY.

Each process listens over a connection of its own, and shows in that connection's name, in
pg_stat_activity, up to which transaction it has heard. So who announces something can wait until
everybody has heard it, however busy their machines are, and knows when that is.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg2  # type: ignore[import-untyped]

from tasks_api.cache.coherence import SUSPENSION_SECONDS, Coherence
from tasks_api.db.database import Database
from tasks_api.db.pool import Connection

_CHANNEL = "tasks_cache"
_ANNOUNCE = f"SELECT pg_current_xact_id()::text::bigint, pg_notify('{_CHANNEL}', '')"
# A notice is heard after its transaction has ended, and then this is larger than the number of it.
_NOW = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_NAME = "tasks_api listener, heard {}"
_SHOW = "SELECT set_config('application_name', %s, false)"
_HEARD = f"substring(application_name from '^{_NAME.format('([0-9]+)$')}')::bigint"
_LISTENERS = "FROM pg_stat_activity WHERE datname = current_database()"
_UNAWARE = f"{_LISTENERS} AND {_HEARD} <= %s"
_COUNT_UNAWARE = f"SELECT count(*) {_UNAWARE}"
_DROP_UNAWARE = f"SELECT count(pg_terminate_backend(pid)) {_UNAWARE}"
_HEARD_LATELY = f"""SELECT count(*) > 0 {_LISTENERS} AND {_HEARD} > 0
    AND state_change > clock_timestamp() - %s * interval '1 second'"""

# Who is not heard of for so long has stopped to believe what is cached half of it ago.
_HEARING_SECONDS = 1.0
_PULSE_SECONDS = 0.2
_DEADLINE_SECONDS = 5.0
_RETRY_SECONDS = 0.1

_logger = logging.getLogger(__name__)


def announce(database: Database) -> bool:
    """Wait until every listening process, this one included, has heard that there is a notice.

    One that stands still is waited for once, and then has to connect again. Returns whether there
    was none. Raises Unavailable.
    """
    row = database.read(_ANNOUNCE)
    assert row is not None
    deadline = time.monotonic() + _HEARING_SECONDS
    while database.read(_COUNT_UNAWARE, row[:1]) != (0,):
        if time.monotonic() > deadline:
            _logger.warning("Cache: a process of the API stands still, its notices are ended")
            database.read(_DROP_UNAWARE, row[:1])
            return False
        time.sleep(0.002)
    return True


class InvalidationListener:
    """Listens in a thread of its own, over a connection of its own.

    Args:
        database: makes the connection.
        coherence: is told when it listens for the first time, of each notice, and after a lost
            connection, when one may have been missed.
    """

    def __init__(self, database: Database, coherence: Coherence) -> None:
        self._database = database
        self._coherence = coherence
        self._started = False
        self._closing, self._closed = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name="invalidation", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closing.close()
        self._thread.join()
        self._closed.close()

    def _listen(self) -> None:
        while True:
            try:
                connection = self._connect()
            except psycopg2.Error as error:
                _logger.debug("No notices: %s", error)
                self._coherence.hears(
                    until=float("inf")
                )  # the database is out, and takes no writes
                if _readable(_RETRY_SECONDS, self._closed):
                    return
                continue
            try:
                self._follow(connection)
                return
            except psycopg2.Error as error:
                _logger.debug("No more notices: %s", error)
                self._coherence.hears(until=float("-inf"))
            finally:
                connection.close()

    def _connect(self) -> Connection:
        """A connection that listens. Raises psycopg2.Error."""
        connection = self._database.connect()
        try:
            connection.cursor().execute(f"LISTEN {_CHANNEL}")
            _ask(connection, _SHOW, _NAME.format(0))  # from here on we are waited for
            if self._started:
                _hear(connection, self._coherence.hear)
            else:
                self._coherence.listening(_ask(connection, _HEARD_LATELY, SUSPENSION_SECONDS))
                self._started = True
        except BaseException:
            connection.close()
            raise
        return connection

    def _follow(self, connection: Connection) -> None:
        """React to notices until it is time to stop. Raises psycopg2.Error."""
        while True:
            while connection.notifies:
                _hear(connection, self._coherence.hear)
            self._coherence.hears(until=time.monotonic() + _HEARING_SECONDS / 2)
            if self._closed.fileno() in _readable(_PULSE_SECONDS, connection, self._closed):
                return
            connection.poll()


def _hear(connection: Connection, react: Callable[[], object]) -> None:
    connection.notifies.clear()
    now = _ask(connection, _NOW)
    react()
    _ask(connection, _SHOW, _NAME.format(now))


def _ask(connection: Connection, statement: str, *parameters: object) -> Any:
    connection.deadline = time.monotonic() + _DEADLINE_SECONDS
    cursor = connection.cursor()
    cursor.execute(statement, parameters)
    return cursor.fetchone()[0]


def _readable(seconds: float, *files: socket.socket | Connection) -> set[int]:
    poll = select.poll()  # select() fails for descriptors from 1,024 on
    for file in files:
        poll.register(file.fileno(), select.POLLIN)
    return {number for number, _ in poll.poll(seconds * 1000)}
