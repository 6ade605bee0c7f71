"""PostgreSQL: two ways to run a statement, each within a deadline.

Connections are in autocommit, each statement being its own transaction: that saves the round trips
of BEGIN and COMMIT.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import errors as pg_errors

from tasks_api.config import Config
from tasks_api.db.pool import Connection, Exhausted, Pool
from tasks_api.errors import Unavailable
from tasks_api.ops import metrics
from tasks_api.server.concurrency import TooManyWaiting

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
# What the server needs to say that it ended a statement at its own time-out.
_GRACE_SECONDS = 0.5


class Database:
    """Runs statements; connects when first needed, and again whenever a connection was lost."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool = Pool(self.connect, config.db_pool_size, config.db_pool_wait_seconds)
        self.deadline_seconds = config.db_statement_timeout_seconds + _GRACE_SECONDS

    def read(
        self, statement: str, parameters: Sequence[object] = (), *, prepare: bool = True
    ) -> Row | None:
        """The first row of a statement without effect, or with the same one if run twice.

        It is run anew if a kept connection is found dead. Without `prepare` it is also planned anew
        each time, for the parameters that are given.

        Raises:
            Unavailable: 503, the server does not serve now, or not within `deadline_seconds`.
        """
        deadline = time.monotonic() + self.deadline_seconds
        # Every kept connection may be dead after a restart of the server; the one after them is
        # new.
        for _ in range(self._config.db_pool_size):
            try:
                return self._run(statement, parameters, deadline, prepare)
            except _KeptConnectionLost:
                continue
        return self._run_once(statement, parameters, deadline, prepare)

    def write(self, statement: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row of a statement with effect, sent once: a lost one may have had its effect.

        Raises:
            Unavailable: 503, as for `read`, or the connection broke before the answer came; its
            `outcome_unknown` then tells that the effect may come to be all the same.
        """
        return self._run_once(statement, parameters, time.monotonic() + self.deadline_seconds)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def connect(self) -> Connection:
        """A new connection. Raises psycopg2.Error."""
        config = self._config
        connection: Connection = psycopg2.connect(
            host=config.db_host,
            port=config.db_port,
            dbname=config.db_name,
            user=config.db_user,
            password=config.db_password,
            connection_factory=partial(Connection, config.db_connect_timeout_seconds),
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

    def _run_once(
        self, statement: str, parameters: Sequence[object], deadline: float, prepare: bool = True
    ) -> Row | None:
        try:
            return self._run(statement, parameters, deadline, prepare)
        except _KeptConnectionLost as error:
            raise _unavailable(error.reason, outcome_unknown=True) from None

    def _run(
        self, statement: str, parameters: Sequence[object], deadline: float, prepare: bool
    ) -> Row | None:
        connection = self._take()
        connection.deadline = deadline
        try:
            row = connection.first_row(statement, parameters, prepare=prepare)
            connection.proven = True
            return row
        except psycopg2.Error as error:
            if connection.closed:
                # A server that stands still will not answer a second attempt either.
                if connection.proven and time.monotonic() < deadline:
                    raise _KeptConnectionLost(error) from None
                raise _unavailable(error, outcome_unknown=True) from None
            if isinstance(error, _PASSING):
                raise _unavailable(error) from None
            raise
        finally:
            metrics.POOL_IN_USE.dec()
            self._pool.give(connection)

    def _take(self) -> Connection:
        asked = time.perf_counter()
        try:
            connection = self._pool.take()
        except (Exhausted, TooManyWaiting, psycopg2.Error) as error:
            raise _unavailable(error) from None
        finally:
            metrics.POOL_WAIT.observe(time.perf_counter() - asked)
        metrics.POOL_IN_USE.inc()
        return connection


class _KeptConnectionLost(Exception):
    """A connection of the pool was lost under a statement, likely since a server restart."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason


def _unavailable(reason: Exception, *, outcome_unknown: bool = False) -> Unavailable:
    # libpq's messages name host, port and user, never the password; they are for the log only.
    _logger.warning("Database unavailable: %s", " ".join(str(reason).split()))
    return Unavailable("database", outcome_unknown=outcome_unknown)
