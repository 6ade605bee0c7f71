"""Redis beside the database: a cache for what is shown of it, such as the list and each task.

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

from tasks_api.cache.coherence import Coherence
from tasks_api.cache.invalidation import InvalidationListener, announce
from tasks_api.cache.lease import Absent, Found, Lease, LeaseCache
from tasks_api.cache.redis import LIST_KEY, RedisLink
from tasks_api.config import Config
from tasks_api.db.database import Database
from tasks_api.errors import Unavailable
from tasks_api.http.messages import Content
from tasks_api.openapi.schemas import CacheStatistics
from tasks_api.ops import logs, metrics

# Reading a cold value takes milliseconds. Who waited in vain reads the database too.
_LEASE_WAITS_SECONDS = (0.002, 0.004, 0.008, 0.016, 0.02)
# Who asks for the counters or for an empty cache waits for Redis, not for a task.
_ADMIN_SECONDS = 2.0
# So the first requests are cached already; a database that stands still is not waited for.
_START_SECONDS = 1
# Values whose content is kept: some megabytes at most, and one list.
_MOST_KNOWN, _MOST_KNOWN_BYTES = 500, 1000
_logger = logging.getLogger(__name__)


Source = Literal["cache", "database"]


class Known(NamedTuple):
    """A valid value, and what was shown of it, by where it came from: the one memo of all this."""

    payload: bytes
    contents: dict[Source, Content]


Reading = Known | Lease | Absent | None
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
        self._coherence = Coherence(self._link, lambda: announce(database))
        self._listener = InvalidationListener(database, self._coherence)
        self._known: dict[str, Known] = {}
        self._refused: list[str] = []
        self._coherence.settled.wait(_START_SECONDS)

    def fetch(
        self,
        key: str,
        load: Callable[[], bytes],
        accepts: Callable[[bytes], bool],
        show: Callable[[Source, bytes], Content],
    ) -> Content:
        """What is shown of the value under `key`, or else of that from `load`, then kept under `key`.

        Args:
            key: one of those that `redis.KEYS` allows.
            load: reads the value as JSON. What it raises passes through, and nothing is kept.
            accepts: whether a payload is one that this version would write there; no other counts.
            show: makes the content; not again while value and source stay the same.
        """
        source: Source = "cache"
        reading = self._look_up(key, accepts)
        if not isinstance(reading, Known):
            source = "database"
            payload = b""
            try:
                payload = load()
            finally:
                if isinstance(reading, Lease) and self._coherence.believed:
                    self._fill(reading, payload)
            reading = self._recall(key, payload) or self._remember(key, payload)
        content = reading.contents.get(source)
        if content is None:
            content = reading.contents[source] = show(source, reading.payload)
        return content

    @contextmanager
    def writing(self, *keys: str) -> Iterator[None]:
        """Surround a database write that changes the values under these keys: they are not cached then."""
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

    def refused(self) -> list[str] | None:
        """The commands that Redis refuses to this user and the API needs; None if it does not answer."""
        try:
            refused = self._link.refused()
        except RedisError as error:
            self._coherence.lost(error)
            return None
        if refused != self._refused:
            self._refused = refused
            _logger.warning("Cache refuses to this user: %s", ", ".join(refused) or "nothing more")
        return refused

    def close(self) -> None:
        """Stop the threads beside the cache."""
        self._listener.close()
        self._coherence.close()

    def _look_up(self, key: str, accepts: Callable[[bytes], bool]) -> Reading:
        try:
            reading = self._read(key, accepts)
        except RedisError as error:
            self._coherence.lost(error)
            reading = None
        if isinstance(reading, Known):
            logs.info("Cache HIT - Retornando dados do Redis", f"Cache GET - Key: {key} - FOUND")
            metrics.CACHE_HITS.inc()
        else:
            logs.info("Cache MISS - Consultando banco de dados")
            metrics.CACHE_MISSES.inc()
        return reading

    def _read(self, key: str, accepts: Callable[[bytes], bool]) -> Reading:
        if not self._coherence.believed:
            return None
        found = self._leases.read(key)
        if found == "leased":
            found = self._await(key)
        reading = self._recognised(key, found, accepts)
        if reading is None:
            self._leases.discard(key)
            reading = self._recognised(key, self._leases.read(key), accepts)
        # Asked before an announcement of another process, answered after it: see `coherence`.
        return reading if self._coherence.believed else None

    def _recognised(
        self, key: str, found: Found | Lease | Absent, accepts: Callable[[bytes], bool]
    ) -> Reading:
        """What was found, if that is a value, as a known one; None if it is none of ours."""
        if not isinstance(found, Found):
            return found
        if known := self._recall(key, found.payload):
            return known
        return self._remember(key, found.payload) if accepts(found.payload) else None

    def _recall(self, key: str, payload: bytes) -> Known | None:
        known = self._known.get(key)
        return known if known and known.payload == payload else None

    def _remember(self, key: str, payload: bytes) -> Known:
        known = Known(payload, {})
        if key == LIST_KEY or len(payload) <= _MOST_KNOWN_BYTES:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    def _await(self, key: str) -> Found | Lease | Absent:
        """Wait a moment for the holder of the lease to fill the value."""
        metrics.CACHE_LEASE_WAITS.inc()
        found: Found | Lease | Absent = "leased"
        for seconds in _LEASE_WAITS_SECONDS:
            time.sleep(seconds)
            found = self._leases.read(key)
            if found != "leased":
                break
        return found

    def _fill(self, lease: Lease, payload: bytes) -> None:
        try:
            filled = self._leases.fill(lease, payload)
        except RedisError as error:
            self._coherence.lost(error)
            return
        if filled and payload:
            logs.info(f"Cache SET - Key: {lease.key} - Expiration: {self._ttl}s")
        elif not filled:
            metrics.CACHE_FILLS_REFUSED.inc()

    def _begin(self, keys: tuple[str, ...]) -> str:
        writer = self._leases.new_writer()
        if self._coherence.reachable:
            try:
                self._leases.begin(keys, writer)
            except RedisError as error:
                self._coherence.lost(error)
        return writer

    def _end(self, keys: tuple[str, ...], writer: str) -> None:
        if self._coherence.reachable:
            try:
                self._leases.end(keys, writer)
            except RedisError as error:
                self._coherence.lost(error)
            else:
                _logger.debug("Cache DELETE - Keys: %s", ", ".join(keys))
                return
        self._coherence.report_missed_end()

    def _ask(self, *command: str, patience: float | None = None) -> bytes:
        try:
            return cast(bytes, self._link.call(*command, patience=patience))
        except RedisError as error:
            self._coherence.lost(error)
            raise Unavailable("cache") from None
