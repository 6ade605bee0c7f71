"""Redis beside the database: cache-aside for the list of tasks and for each task.

Redis is an accelerator. Whatever it does, short of answering with a valid value, counts as a miss,
and a request waits for it 0.1 s at most per command. The rest of the service knows `fetch`,
`writing` and the keys.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from tasks_api import models
from tasks_api.config import Config
from tasks_api.errors import Unavailable

LIST_KEY = "all_tasks"
_TIMEOUT_SECONDS = 0.1
_STATISTICS = (
    "connected_clients",
    "used_memory_human",
    "total_commands_processed",
    "keyspace_hits",
    "keyspace_misses",
)

_logger = logging.getLogger(__name__)


def task_key(task_id: int) -> str:
    """The key of one task."""
    return f"task:{task_id}"


class Fetched(NamedTuple):
    """A JSON payload and where it came from."""

    payload: bytes
    source: Literal["cache", "database"]


class TaskCache:
    """The cache of one process; safe to share between threads."""

    def __init__(self, config: Config) -> None:
        self._ttl = config.cache_ttl_seconds
        # redis-py by itself waits seconds and tries again: measured 3.3 s refused and 59 s paused,
        # per call.
        self._redis = Redis(
            host=config.redis_host,
            port=config.redis_port,
            password=config.redis_password,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        self._reachable = True
        self._proven_list: bytes | None = None

    def fetch(self, key: str, load: Callable[[], bytes]) -> Fetched:
        """The value under `key`: from Redis, or else from `load` and then kept in Redis.

        What `load` raises passes through, and nothing is kept.
        """
        try:
            payload = self._get(key)
            reached = True
        except RedisError as error:
            payload, reached = None, self._lost(error)
        if payload is not None and self._is_valid(key, payload):
            _logger.info("Cache HIT - Retornando dados do Redis")
            _logger.info("Cache GET - Key: %s - FOUND", key)
            return Fetched(payload, "cache")
        _logger.info("Cache MISS - Consultando banco de dados")
        payload = load()
        if reached:
            self._set(key, payload)
        return Fetched(payload, "database")

    @contextmanager
    def writing(self, *task_ids: int) -> Iterator[None]:
        """Surround a database write to these tasks: after it, they and the list are not cached.

        That holds also when the write failed, for a lost connection may hide a commit.
        """
        try:
            yield
        finally:
            self._invalidate(LIST_KEY, *map(task_key, task_ids))

    def clear(self) -> None:
        """Empty the Redis database. Raises Unavailable."""
        try:
            self._redis.flushdb()
        except RedisError as error:
            self._lost(error)
            raise Unavailable("cache") from None

    def statistics(self) -> dict[str, object]:
        """The server's counters that the API shows. Raises Unavailable."""
        try:
            info = self._redis.info()
        except RedisError as error:
            self._lost(error)
            raise Unavailable("cache") from None
        return {name: info[name] for name in _STATISTICS}

    def is_healthy(self) -> bool:
        """Whether Redis answers a PING."""
        try:
            self._redis.ping()
        except RedisError as error:
            return self._lost(error)
        self._found()
        return True

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _get(self, key: str) -> bytes | None:
        payload = self._redis.get(key)
        self._found()
        assert payload is None or isinstance(payload, bytes)  # decode_responses is off
        return payload

    def _set(self, key: str, payload: bytes) -> None:
        try:
            self._redis.set(key, payload, ex=self._ttl)
        except RedisError as error:
            self._lost(error)
        else:
            _logger.info("Cache SET - Key: %s - Expiration: %ds", key, self._ttl)

    def _invalidate(self, *keys: str) -> None:
        try:
            self._redis.delete(*keys)
        except RedisError as error:
            self._lost(error)
        else:
            _logger.debug("Cache DELETE - Keys: %s", ", ".join(keys))

    def _is_valid(self, key: str, payload: bytes) -> bool:
        """Whether this version writes such values; the last good list is not decoded again."""
        if key != LIST_KEY:
            return models.is_task(payload)
        if payload != self._proven_list:
            if not models.is_task_list(payload):
                return False
            self._proven_list = payload
        return True

    def _lost(self, error: RedisError) -> Literal[False]:
        """Log the first of a row of failures."""
        if self._reachable:
            self._reachable = False
            _logger.warning("Cache unavailable, going on without: %s", error)
        return False

    def _found(self) -> None:
        if not self._reachable:
            self._reachable = True
            _logger.warning("Cache available again")
