"""Redis is paused, emptied or restarted around a write: nobody finds what is old, and the cache comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from tests.api.servers import RedisServer
from tests.cache.client import wait_until_cached
from tests.cache.conftest import Pair
from tests.support.processes import paused

ROUNDS = 5


def written_while_paused(server: RedisServer, write: Callable[[], None]) -> None:
    with paused(server):
        write()


def written_before_a_pause(server: RedisServer, write: Callable[[], None]) -> None:
    write()
    with paused(server):
        pass


def written_before_a_flush(server: RedisServer, write: Callable[[], None]) -> None:
    write()
    with Redis(port=server.port) as redis:
        redis.flushall()


def written_before_a_restart(server: RedisServer, write: Callable[[], None]) -> None:
    write()
    server.stop()
    server.start()


def written_while_it_was_gone(server: RedisServer, write: Callable[[], None]) -> None:
    server.stop()
    try:
        write()
    finally:
        server.start()


@pytest.mark.parametrize(
    "happens",
    [
        written_while_paused,
        written_before_a_pause,
        written_before_a_flush,
        written_before_a_restart,
        written_while_it_was_gone,
    ],
    ids=lambda function: function.__name__,
)
def test_nobody_finds_what_is_old(
    pair: Pair, redis_server: RedisServer, happens: Callable[..., None]
) -> None:
    near, far = pair.clients()
    with near, far:
        for number in range(ROUNDS):
            wait_until_cached(pair.near, pair.far)
            title = f"title {number}"

            def write(title: str = title) -> None:
                assert far.send("PUT", "/tasks/1", title=title).status == 200

            happens(redis_server, write)
            for _ in range(20):
                seen = {client.title(1) for client in (near, far)}
                assert seen | {client.listed()[1] for client in (near, far)} == {title}
        wait_until_cached(pair.near, pair.far)
