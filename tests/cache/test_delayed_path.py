"""Write through one process, read at once through another; one of them has a bad way to Redis."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.servers import ApiProcess, Postgres, Sql
from tests.cache.client import Client, wait_until_cached
from tests.cache.conftest import Pair
from tests.support.proxy import Proxy

THREADS = 6


def write_and_read(pair: Pair, task_id: int, pairs: int, far_writes: float) -> Counter[str]:
    """Write a task, of which nobody else writes, and compare what the other process answers."""
    chance = random.Random(task_id)
    seen: Counter[str] = Counter()
    near, far = pair.clients()
    with near, far:
        for number in range(pairs):
            writer, reader = (far, near) if chance.random() < far_writes else (near, far)
            title = f"title {number}"
            assert writer.send("PUT", f"/tasks/{task_id}", title=title).status == 200
            found = {reader.title(task_id), reader.listed()[task_id]}
            again = reader.send("GET", f"/tasks/{task_id}").json  # a late fill is seen only now
            seen["pairs"] += 1
            seen["stale"] += found | {again["task"]["title"]} != {title}
            seen["cached"] += again["source"] == "cache"
    return seen


def race(pair: Pair, sql: Sql, pairs: int, far_writes: float = 0.5) -> Counter[str]:
    """Let threads write and read, each a task of its own and all of them the list."""
    ids = [
        int(str(row[0]))
        for row in sql(
            f"INSERT INTO tasks (title) SELECT 'new' FROM generate_series(1, {THREADS}) RETURNING id"
        )
    ]
    stop = threading.Event()
    with ThreadPoolExecutor(THREADS + 1) as threads:
        background = threads.submit(read_on, pair, ids, stop)
        try:
            runs = [
                threads.submit(write_and_read, pair, task_id, pairs // THREADS, far_writes)
                for task_id in ids
            ]
            return sum((run.result() for run in runs), Counter())
        finally:
            stop.set()
            background.result()


def read_on(pair: Pair, ids: list[int], stop: threading.Event) -> None:
    """Read tasks through both processes, so that there are fills under way to be refused."""
    near, far = pair.clients()
    with near, far:
        while not stop.is_set():
            for client in (near, far):
                client.title(random.choice(ids))
                client.listed()


@pytest.mark.slow
@pytest.mark.parametrize(("milliseconds", "pairs"), [(5, 7500), (20, 2502)])
def test_a_delayed_path(pair: Pair, sql: Sql, milliseconds: int, pairs: int) -> None:
    pair.proxy.delay_seconds = milliseconds / 1000
    seen = race(pair, sql, pairs, far_writes=0.2)
    assert seen["pairs"] == pairs
    assert seen["stale"] == 0
    assert seen["cached"], "the cache was never used: nothing is shown"


def too_slow(proxy: Proxy, broken: bool) -> None:
    proxy.delay_seconds = 0.15 if broken else 0


def refused(proxy: Proxy, broken: bool) -> None:
    if broken:
        proxy.refuse()
    else:
        proxy.accept()


def black_holed(proxy: Proxy, broken: bool) -> None:
    proxy.freeze(broken)


@pytest.mark.parametrize("set_broken", [too_slow, refused, black_holed], ids=lambda f: f.__name__)
def test_a_broken_path(pair: Pair, sql: Sql, set_broken: Callable[[Proxy, bool], None]) -> None:
    set_broken(pair.proxy, True)
    broken = race(pair, sql, 300)
    set_broken(pair.proxy, False)  # and what was under way arrives now
    mended = race(pair, sql, 300)
    assert (broken["pairs"], broken["stale"]) == (300, 0)
    assert (mended["pairs"], mended["stale"]) == (300, 0)
    wait_until_cached(pair.near, pair.far)


def test_the_first_write_after_the_path_breaks(pair: Pair) -> None:
    """While the other process finds values in Redis, and has much to do."""
    stop = threading.Event()
    with ThreadPoolExecutor(4) as threads:
        busy = [threads.submit(read_on, pair, [1, 2, 3], stop) for _ in range(4)]
        near, far = pair.clients()
        with near, far:
            try:
                for number in range(6):
                    wait_until_cached(pair.near, pair.far)
                    pair.proxy.refuse()
                    assert far.send("PUT", "/tasks/1", title=f"{number}").status == 200
                    assert (near.title(1), near.listed()[1]) == (f"{number}", f"{number}")
                    pair.proxy.accept()
            finally:
                stop.set()
        for thread in busy:
            thread.result()


def black(way: Proxy) -> None:
    way.freeze()


def slow(way: Proxy) -> None:
    way.delay_seconds = 1.3  # more than a writer waits for the reader


@pytest.mark.parametrize("becomes", [black, slow], ids=lambda f: f.__name__)
def test_a_reader_that_does_not_hear_of_a_write_finds_nothing_old(
    pair: Pair,
    api: ApiProcess,
    api_environment: dict[str, str],
    postgres: Postgres,
    becomes: Callable[[Proxy], None],
) -> None:
    """The writer does not reach Redis, the reader not PostgreSQL, and a third one both."""
    with Proxy(postgres.port) as way:
        api.start(
            **api_environment | {"DB_PORT": str(way.port)},
            API_WORKERS="1",
            LOG_LEVEL="WARNING",
            DB_STATEMENT_TIMEOUT_SECONDS="2",
            DB_CONNECT_TIMEOUT_SECONDS="2",
        )
        wait_until_cached(pair.near, pair.far, api)
        with Client(pair.far) as writer, Client(api) as reader:
            becomes(way)
            pair.proxy.refuse()
            for number in range(2):
                assert writer.send("PUT", "/tasks/1", title=f"{number}").status == 200
                answers = [reader.send("GET", "/tasks/1") for _ in range(2)]
                seen = [one.json["task"]["title"] for one in answers if one.status == 200]
                assert set(seen) <= {f"{number}"}
        way.delay_seconds = 0
        way.freeze(False)
        wait_until_cached(api)


def test_a_created_task_is_there_and_a_deleted_one_is_not(pair: Pair) -> None:
    pair.proxy.delay_seconds = 0.005
    near, far = pair.clients()
    with near, far:
        for number in range(40):
            writer, reader = (near, far) if number % 2 else (far, near)
            task_id = writer.send("POST", "/tasks", title="t").json["task"]["id"]
            assert (reader.title(task_id), reader.listed()[task_id]) == ("t", "t")
            assert writer.send("DELETE", f"/tasks/{task_id}").status == 200
            assert reader.title(task_id) is None
            assert task_id not in reader.listed()
