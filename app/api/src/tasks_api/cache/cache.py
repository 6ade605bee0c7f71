"""Redis beside the database: a cache for the list of tasks and for each task.

Redis is an accelerator. Whatever it does, short of answering with a valid value, counts as a miss.
How a value is kept from being old is told in `lease`, and what happens without Redis in `coherence`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple, cast

import msgspec
from redis import RedisError

from tasks_api.cache.coherence import Trust
from tasks_api.cache.invalidation import Notices, announce
from tasks_api.cache.lease import Absent, Found, Lease, LeaseCache
from tasks_api.cache.redis import RedisLink
from tasks_api.config import Config
from tasks_api.db.database import Database
from tasks_api.errors import Unavailable
from tasks_api.openapi.schemas import CacheStatistics
from tasks_api.ops import logs, metrics
from tasks_api.tasks import payloads

LIST_KEY = "all_tasks"
_TASK_PREFIX = "task:"
# Reading a cold value takes milliseconds. Who waited in vain reads the database too.
_LEASE_WAITS_SECONDS = (0.002, 0.004, 0.008, 0.016, 0.02)
# Who asks for the counters or for an empty cache waits for Redis, not for a task.
_ADMIN_SECONDS = 2.0
# So the first requests are cached already; a database that stands still is not waited for.
_START_SECONDS = 1
# Values that need no second look: some hundred kilobytes at most, and one list.
_MOST_PROVEN, _MOST_PROVEN_BYTES = 500, 1000
_logger = logging.getLogger(__name__)


def task_key(task_id: int) -> str:
    """The key of one task."""
    return f"{_TASK_PREFIX}{task_id}"


class Fetched(NamedTuple):
    """A JSON payload and where it came from."""

    payload: bytes
    source: Literal["cache", "database"]


Reading = Found | Lease | Absent | None
"""What the cache says of a key; None: it is not to be asked."""


class TaskCache:
    """The cache of one process; safe to share between threads."""

    def __init__(self, config: Config, database: Database) -> None:
        self._ttl = config.cache_ttl_seconds
        self._link = RedisLink(config)
        # The server ends a statement by its own time-out, which starts when it gets it: after our
        # waiting for a connection, connecting, and as long again for a server that stands still.
        fence_seconds = (
            config.db_pool_wait_seconds
            + config.db_connect_timeout_seconds
            + 2 * config.db_statement_timeout_seconds
            + 1
        )
        self._leases = LeaseCache(self._link, config.cache_ttl_seconds, fence_seconds)
        self._trust = Trust(self._link, lambda: announce(database))
        self._notices = Notices(database, self._trust)
        self._proven: dict[str, bytes] = {}
        self._trust.settled.wait(_START_SECONDS)

    def fetch(self, key: str, load: Callable[[], bytes]) -> Fetched:
        """The value under `key`, or else from `load`, and then kept under `key`.

        Only a value that this version would write there counts as found. What `load` raises passes
        through, and nothing is kept.
        """
        reading = self._look_up(key)
        if isinstance(reading, Found):
            return Fetched(reading.payload, "cache")
        payload = b""
        try:
            payload = load()
        finally:
            if isinstance(reading, Lease) and self._trust.believed:
                self._fill(reading, payload)
        return Fetched(payload, "database")

    @contextmanager
    def writing(self, *task_ids: int) -> Iterator[None]:
        """Surround a database write to these tasks: after it, they and the list are not cached."""
        keys = (LIST_KEY, *map(task_key, task_ids))
        writer = self._begin(keys)
        try:
            yield
        except Unavailable as error:
            # The fence stays until the database has certainly ended the statement.
            if not error.outcome_unknown:
                self._end(keys, writer)
            raise
        except BaseException:
            self._end(keys, writer)
            raise
        self._end(keys, writer)

    def clear(self) -> None:
        """Empty the Redis database. Raises Unavailable."""
        self._ask("FLUSHDB", patience=_ADMIN_SECONDS)

    def statistics(self) -> CacheStatistics:
        """The server's counters that the API shows. Raises Unavailable."""
        lines = self._ask("INFO", patience=_ADMIN_SECONDS).decode().splitlines()
        counters = dict(line.split(":", 1) for line in lines if ":" in line)
        return msgspec.convert(counters, CacheStatistics, strict=False)

    def is_healthy(self) -> bool:
        """Whether Redis answers a PING."""
        try:
            self._ask("PING")
        except Unavailable:
            return False
        return True

    def close(self) -> None:
        """Stop the threads beside the cache."""
        self._notices.close()
        self._trust.close()

    def _look_up(self, key: str) -> Reading:
        try:
            reading = self._read(key)
        except RedisError as error:
            self._trust.lost(error)
            reading = None
        if isinstance(reading, Found):
            logs.info("Cache HIT - Retornando dados do Redis", f"Cache GET - Key: {key} - FOUND")
            metrics.CACHE_HITS.inc()
        else:
            logs.info("Cache MISS - Consultando banco de dados")
            metrics.CACHE_MISSES.inc()
        return reading

    def _read(self, key: str) -> Reading:
        if not self._trust.believed:
            return None
        reading: Reading = self._leases.read(key)
        if reading == "leased":
            reading = self._await(key)
        if isinstance(reading, Found) and not self._is_valid(key, reading.payload):
            self._leases.discard(key)
            reading = self._leases.read(key)
        # Asked before an announcement of another process, answered after it: see `coherence`.
        return reading if self._trust.believed else None

    def _await(self, key: str) -> Reading:
        """Wait a moment for the holder of the lease to fill the value."""
        metrics.CACHE_LEASE_WAITS.inc()
        reading: Reading = "leased"
        for seconds in _LEASE_WAITS_SECONDS:
            time.sleep(seconds)
            reading = self._leases.read(key)
            if reading != "leased":
                break
        return reading

    def _fill(self, lease: Lease, payload: bytes) -> None:
        try:
            filled = self._leases.fill(lease, payload)
        except RedisError as error:
            self._trust.lost(error)
            return
        if filled and payload:
            logs.info(f"Cache SET - Key: {lease.key} - Expiration: {self._ttl}s")
        elif not filled:
            metrics.CACHE_FILLS_REFUSED.inc()

    def _begin(self, keys: tuple[str, ...]) -> str:
        writer = self._leases.new_writer()
        if self._trust.reachable:
            try:
                self._leases.begin(keys, writer)
            except RedisError as error:
                self._trust.lost(error)
        return writer

    def _end(self, keys: tuple[str, ...], writer: str) -> None:
        if self._trust.reachable:
            try:
                self._leases.end(keys, writer)
            except RedisError as error:
                self._trust.lost(error)
            else:
                _logger.debug("Cache DELETE - Keys: %s", ", ".join(keys))
                return
        self._trust.report_missed_end()

    def _ask(self, *command: str, patience: float | None = None) -> bytes:
        try:
            return cast(bytes, self._link.call(*command, patience=patience))
        except RedisError as error:
            self._trust.lost(error)
            raise Unavailable("cache") from None

    def _is_valid(self, key: str, payload: bytes) -> bool:
        """Whether this version writes such a value here; what was so lately is not decoded again."""
        if self._proven.get(key) == payload:
            return True
        if key == LIST_KEY:
            valid = payloads.is_task_list(payload)
        else:
            valid = payloads.is_task(payload, int(key.removeprefix(_TASK_PREFIX)))
        if valid and (key == LIST_KEY or len(payload) <= _MOST_PROVEN_BYTES):
            if len(self._proven) >= _MOST_PROVEN:
                self._proven.clear()
            self._proven[key] = payload
        return valid
