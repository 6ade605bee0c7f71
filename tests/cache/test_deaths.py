"""Processes that die or start at the worst moment."""

from __future__ import annotations

import psycopg2
import pytest
from redis import Redis

from tests.api.servers import ApiProcess, Postgres, Sql, wait_for
from tests.cache.client import Client, wait_until_cached
from tests.cache.conftest import Pair, kill
from tests.support.processes import paused


def put(server: ApiProcess, title: str) -> int:
    with Client(server) as client:
        return client.send("PUT", "/tasks/1", title=title).status


def what_all_see(*servers: ApiProcess) -> set[str | None]:
    seen: set[str | None] = set()
    for server in servers:
        with Client(server) as client:
            seen |= {client.title(1), client.listed()[1]}
    return seen


@pytest.fixture
def row_lock(postgres: Postgres, database: str) -> psycopg2.extensions.connection:
    """Return a connection whose transaction holds the first task back from writers, not readers."""
    connection = postgres.connect(database)
    connection.autocommit = False
    connection.cursor().execute("SELECT FROM tasks WHERE id = 1 FOR UPDATE")
    return connection


@pytest.mark.parametrize("end_arrives", [False, True], ids=["END is lost", "END comes late"])
def test_writer_killed_between_commit_and_end(
    pair: Pair, redis: Redis, sql: Sql, row_lock: psycopg2.extensions.connection, end_arrives: bool
) -> None:
    connection = pair.far.connect()
    connection.request("PUT", "/tasks/1", '{"title": "new"}', {"Content-Type": "application/json"})
    wait_for(lambda: redis.exists("task:1:fence"), "BEGIN")
    pair.proxy.freeze()
    row_lock.rollback()
    row_lock.close()
    wait_for(lambda: sql("SELECT title FROM tasks WHERE id = 1") == [("new",)], "the COMMIT")
    kill(pair.far)
    connection.close()
    if not end_arrives:
        pair.proxy.refuse()
    pair.proxy.freeze(False)
    while redis.exists("task:1:fence"):
        assert what_all_see(pair.near) == {"new"}
    wait_until_cached(pair.near)
    assert what_all_see(pair.near) == {"new"}


def test_process_starts_while_others_must_not_believe_the_cache(
    pair: Pair, api: ApiProcess, api_environment: dict[str, str]
) -> None:
    pair.proxy.refuse()
    assert put(pair.far, "new") == 200
    api.start(**api_environment)
    assert what_all_see(api, pair.near, pair.far) == {"new"}
    wait_until_cached(api, pair.near)
    assert what_all_see(api, pair.near, pair.far) == {"new"}


def test_all_processes_end_while_redis_still_has_what_is_old(
    pair: Pair, api: ApiProcess, api_environment: dict[str, str]
) -> None:
    kill(pair.near)
    pair.proxy.refuse()
    assert put(pair.far, "new") == 200
    kill(pair.far)
    api.start(**api_environment)
    assert what_all_see(api) == {"new"}


def test_a_process_that_stood_still_believes_nothing_before_it_has_caught_up(pair: Pair) -> None:
    for number in range(3):
        wait_until_cached(pair.near, pair.far)
        pair.proxy.refuse()
        waiting = pair.near.connect()
        waiting.connect()
        with paused(pair.near):
            assert put(pair.far, f"{number}") == 200
            waiting.request("GET", "/tasks/1")
        assert f'"{number}"' in waiting.getresponse().read().decode()
        waiting.close()
        pair.proxy.accept()
