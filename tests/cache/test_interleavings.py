"""Hypothesis picks the order of the protocol's steps on a real Redis; what it must not find, and does elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from redis import Redis
from tasks_api.cache.lease import Found, Lease, LeaseCache
from tasks_api.cache.redis import RedisLink
from tasks_api.config import Config

from tests.api.servers import RedisServer
from tests.cache.schedules import FAULTS, PROCESSES, Cache, Stale, World

DEATHS = ("death", "fence expires", "lease expires")


class Unfenced(LeaseCache):
    """Leases alone: a writer removes them after its COMMIT, and says nothing before."""

    def begin(self, keys: Iterable[str], writer: str) -> None:
        """Do nothing."""


class Counted(LeaseCache):
    """Leases whose tokens are counted by Redis."""

    def __init__(self, link: RedisLink, redis: Redis) -> None:
        super().__init__(link, 60, 600)
        self._tokens = (str(redis.incr("tokens")) for _ in itertools.count())  # type: ignore[assignment]


class Naive:
    """Cache-aside as it is usually written: GET, SELECT, SET; and DEL before, after or around a write."""

    def __init__(self, redis: Redis, *, before: bool, after: bool) -> None:
        self._redis, self._before, self._after = redis, before, after

    def read(self, key: str) -> Found | Lease:
        payload = self._redis.get(key)
        return Found(payload) if payload else Lease(key, "")

    def fill(self, lease: Lease, payload: bytes) -> bool:
        return bool(self._redis.set(lease.key, payload, ex=60))

    def new_writer(self) -> str:
        return ""

    def begin(self, keys: Iterable[str], writer: str) -> None:
        if self._before:
            self._redis.delete(*keys)

    def end(self, keys: Iterable[str], writer: str) -> None:
        if self._after:
            self._redis.delete(*keys)


@pytest.fixture
def link(redis_server: RedisServer, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> RedisLink:
    """Return a connection to Redis that has patience: schedules, not clocks, decide here."""
    monkeypatch.setattr("tasks_api.cache.redis.TIMEOUT_SECONDS", 10)
    return RedisLink(Config(db_password="", redis_host="127.0.0.1", redis_port=redis_server.port))


def search(
    redis: Redis,
    caches: Sequence[Cache],
    floor: str,
    faults: Sequence[str],
    examples: int,
    **cut: bool,
) -> None:
    """Raise Stale if one of so many schedules, always the same ones, leads to it."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(
            st.tuples(st.sampled_from((*PROCESSES, *PROCESSES, *faults)), st.integers(0, 15)),
            min_size=30,
            max_size=60,
        )
    )
    def run(schedule: list[tuple[str, int]]) -> None:
        World(redis, caches, floor, **cut).run(schedule)

    run()


def two_processes(link: RedisLink, kind: type[LeaseCache] = LeaseCache) -> list[LeaseCache]:
    return [kind(link, 60, 600), kind(link, 60, 600)]


EXAMPLES = [200, pytest.param(3000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("examples", EXAMPLES)
def test_nothing_found_is_older_than_an_acknowledged_write(
    redis: Redis, link: RedisLink, examples: int
) -> None:
    search(redis, two_processes(link), "acknowledged", FAULTS, examples)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_without_restarts_nothing_found_is_older_than_the_database(
    redis: Redis, link: RedisLink, examples: int
) -> None:
    """Not even than writes whose writer died, acknowledged by nobody."""
    search(redis, two_processes(link), "committed", DEATHS, examples)


def test_a_writer_that_dies_needs_the_fence(redis: Redis, link: RedisLink) -> None:
    search(redis, two_processes(link, Unfenced), "acknowledged", (), 100)
    with pytest.raises(Stale):
        search(redis, two_processes(link, Unfenced), "committed", DEATHS, 300)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_writer_cut_off_from_redis_needs_one_process_that_hears_it(
    redis: Redis, link: RedisLink, examples: int
) -> None:
    """And not that the readers hear it."""
    cut = {"cut_off": True, "heard": True}
    search(redis, two_processes(link), "acknowledged", FAULTS, examples, **cut)
    with pytest.raises(Stale):
        search(redis, two_processes(link), "acknowledged", (), 100, cut_off=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [(False, True), (True, False), (True, True)],
    ids=["delete after", "delete before", "double delete"],
)
def test_the_same_search_finds_the_naive_forms_stale(
    redis: Redis, before: bool, after: bool
) -> None:
    cache = Naive(redis, before=before, after=after)
    with pytest.raises(Stale):
        search(redis, [cache, cache], "acknowledged", (), 100)


# One reader has the lease from before a restart, and another one that of after it.
LEASES_ACROSS_A_RESTART = [
    *[("reader 1", 0), ("reader 1", 0), ("writer 1", 4), ("writer 1", 4), ("restart", 0)],
    *[("writer 1", 4), ("reader 2", 0), ("reader 1", 0), ("reader 1", 0)],
]


def test_a_restart_needs_tokens_that_never_come_again(redis: Redis, link: RedisLink) -> None:
    World(redis, two_processes(link), "acknowledged").run(LEASES_ACROSS_A_RESTART)
    counted = Counted(link, redis)
    with pytest.raises(Stale):
        World(redis, [counted, counted], "acknowledged").run(LEASES_ACROSS_A_RESTART)
