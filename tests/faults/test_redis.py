"""Redis fails in every way while clients read and write: nobody gets an error or an old value."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from redis import Redis

from tests.api.servers import ApiProcess, Postgres, RedisServer, wait_for
from tests.faults.conftest import environment, start
from tests.faults.load import Load, answered, slowest, usual
from tests.faults.redis_faults import FAULTS, Place
from tests.faults.workload import OwnTasks, cached_again
from tests.support.proxy import Proxy

FAULT_SECONDS = 1.5
# Redis may add 0.1 s to a request; the rest is for a machine that does other things as well.
ADDED_SECONDS = 0.1
BUSY_MACHINE_SECONDS = 0.9


@pytest.fixture(scope="module")
def place(redis_server: RedisServer) -> Iterator[Place]:
    """Return the Redis of the API, which is one and the same in all these tests."""
    with Proxy(redis_server.port) as proxy, Redis(port=redis_server.port) as client:
        yield Place(redis_server, client, proxy)


@pytest.fixture(scope="module")
def api(
    place: Place,
    postgres: Postgres,
    new_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ApiProcess]:
    """Return the API, started."""
    process = ApiProcess(tmp_path_factory.mktemp("api"))
    environ = environment(postgres, new_database(), place.proxy.port)
    try:
        start(process, environ)
        yield process
    finally:
        process.stop()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_redis_fails_and_comes_back(
    fault: Callable[[Place], AbstractContextManager[None]], api: ApiProcess, place: Place
) -> None:
    noticed = api.log.count("going on without")
    tasks = OwnTasks(api)
    with Load(api, tasks, pause=0.02) as load:
        wait_for(lambda: cached_again(load.sent[:]), "the cache to be used")
        began = time.monotonic()
        with fault(place):
            time.sleep(FAULT_SECONDS)
        ended = time.monotonic()
        wait_for(lambda: cached_again(load.during(ended)), "the cache to be used again")
        time.sleep(0.5)
    assert api.log.count("going on without") > noticed, "the fault was none"
    answered(load.sent, 200, 201)
    tasks.never_stale(load.sent)
    before, meanwhile = load.during(0, began), load.during(began, ended)
    assert slowest(meanwhile) < slowest(before) + ADDED_SECONDS + BUSY_MACHINE_SECONDS
    # Only the first requests may find out; the others go past Redis.
    assert usual(load.during(began + FAULT_SECONDS / 2, ended)) < usual(before) + ADDED_SECONDS / 2
