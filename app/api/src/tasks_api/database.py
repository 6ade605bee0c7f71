"""PostgreSQL: a bounded pool of connections and two ways to run a statement.

Connections are in autocommit, each statement being its own transaction: that saves the round trips
of BEGIN and COMMIT. The pool is SQLAlchemy's QueuePool, because psycopg2's own closes what it
should keep and raises at once when exhausted.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import errors as pg_errors
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from tasks_api.config import Config
from tasks_api.errors import Unavailable

Row = tuple[Any, ...]

_logger = logging.getLogger(__name__)

# What passes when somebody repairs or finishes something behind the API: a schema not yet migrated,
# a standby, a connection gone (InterfaceError), and of OperationalError all of classes 08, 40, 53,
# 55, 57 and 58.
_PASSING = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    pg_errors.UndefinedTable,
    pg_errors.UndefinedColumn,
    pg_errors.ReadOnlySqlTransaction,
)


class Database:
    """Runs statements; connects when first needed, and again whenever a connection was lost."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool = QueuePool(
            self._connect,
            pool_size=config.db_pool_size,
            max_overflow=0,
            timeout=config.db_pool_wait_seconds,
            use_lifo=True,
            reset_on_return=None,
        )

    def read(self, statement: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row of a statement without effect, run anew if a kept connection is dead.

        Raises:
            Unavailable: 503, no connection in time, or the server cannot serve now.
        """
        # Every kept connection may be dead after a restart of the server; the one after them is
        # new.
        for _ in range(self._config.db_pool_size):
            try:
                return self._run(statement, parameters)
            except _KeptConnectionLost:
                continue
        return self.write(statement, parameters)

    def write(self, statement: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row of a statement with effect, sent once: a lost one may have had its effect.

        Raises:
            Unavailable: 503, as for `read`, or the connection broke before the answer came.
        """
        try:
            return self._run(statement, parameters)
        except _KeptConnectionLost as error:
            raise _unavailable(error.reason) from None

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.dispose()

    def _run(self, statement: str, parameters: Sequence[object]) -> Row | None:
        connection = self._checkout()
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(statement, parameters)
                row: Row | None = cursor.fetchone()
        except psycopg2.Error as error:
            if _driver(connection).closed:
                kept = "kept" in connection.info
                connection.invalidate(error)
                raise _KeptConnectionLost(error) if kept else _unavailable(error) from None
            if isinstance(error, _PASSING):
                raise _unavailable(error) from None
            raise
        else:
            connection.info["kept"] = True
            return row
        finally:
            connection.close()

    def _checkout(self) -> PoolProxiedConnection:
        """A connection the server has not closed, so that a statement is not sent into a dead one.

        An idle connection with something to read was closed by the server (or, rarely, got a
        notice; it is then replaced for nothing). Asking the kernel costs microseconds, a ping
        through the pool 12 % of all reads.
        """
        while True:
            try:
                connection = self._pool.connect()
            except (PoolTimeout, psycopg2.Error) as error:
                raise _unavailable(error) from None
            poll = select.poll()
            poll.register(_driver(connection), select.POLLIN)
            if not poll.poll(0):
                return connection
            connection.invalidate()

    def _connect(self) -> Any:
        config = self._config
        connection = psycopg2.connect(
            host=config.db_host,
            port=config.db_port,
            dbname=config.db_name,
            user=config.db_user,
            password=config.db_password,
            connect_timeout=config.db_connect_timeout_seconds,
            options=f"-c statement_timeout={config.db_statement_timeout_seconds}s",
            client_encoding="UTF8",
            application_name="tasks_api",
            # A peer that vanished without a word is noticed after 5 + 3 * 2 s instead of two hours.
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
        )
        connection.autocommit = True
        return connection


class _KeptConnectionLost(Exception):
    """A connection of the pool was lost under a statement, likely since a server restart."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason


def _driver(connection: PoolProxiedConnection) -> Any:
    """psycopg2's own connection."""
    return connection.driver_connection


def _unavailable(reason: Exception) -> Unavailable:
    # libpq's messages name host, port and user, never the password; they are for the log only.
    _logger.warning("Database unavailable: %s", " ".join(str(reason).split()))
    return Unavailable("database")
