"""Every key of the API holds something of somebody else: the answers are right all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from redis import Redis

from tests.api.servers import ApiProcess, Sql, wait_for
from tests.faults.load import JSON

NOBODY = {"id": 1, "title": "of nobody", "description": None, "status": "pending"}
Plant = Callable[[Redis, str], object]
STRINGS: dict[str, Plant] = {
    "nothing": lambda redis, key: redis.set(key, ""),
    "null": lambda redis, key: redis.set(key, "null"),
    "number": lambda redis, key: redis.set(key, "12"),
    "bytes": lambda redis, key: redis.set(key, bytes(range(256))),
    "half a value": lambda redis, key: redis.set(key, '[{"id": 1, "title": "h'),
    "deep": lambda redis, key: redis.set(key, "[" * 100_000),
    "megabytes": lambda redis, key: redis.set(key, "x" * 4_000_000),
    "another shape": lambda redis, key: redis.set(key, '{"tasks": [], "count": 0}'),
    "fields missing": lambda redis, key: redis.set(key, json.dumps(NOBODY)),
    "list of such": lambda redis, key: redis.set(key, json.dumps([NOBODY])),
}
TYPES: dict[str, Plant] = {
    "string": lambda redis, key: redis.set(key, "null"),
    "list": lambda redis, key: redis.rpush(key, "a", "b"),
    "hash": lambda redis, key: redis.hset(key, "id", "1"),
    "sorted set": lambda redis, key: redis.zadd(key, {"a": 1}),
}
VALUES = ["all_tasks", "task:1"]
LIST, TASK = "/tasks", "/tasks/1"


@pytest.fixture
def keys(
    running: ApiProcess,
    redis: Redis,
    locked_tasks: psycopg2.extensions.connection,
) -> list[str]:
    """Return all keys the API uses for the list and task 1, while it reads and while it writes."""
    found: set[str] = set()

    def uses(more: int) -> None:
        known = len(found)
        wait_for(
            lambda: found.update(redis.scan_iter()) or len(found) >= known + more, "keys to be used"
        )

    with ThreadPoolExecutor(3) as executor:
        answers = [executor.submit(running.request, "GET", path) for path in (LIST, TASK)]
        uses(2)
        answers.append(executor.submit(running.request, "PUT", TASK, '{"title": "first"}', JSON))
        uses(2)
        locked_tasks.rollback()
        assert [answer.result()[0].status for answer in answers] == [200, 200, 200]
    for path in (LIST, TASK):
        wait_for(lambda path=path: read(running, path)["source"] == "cache", "the cache")  # type: ignore[misc]
    found.update(redis.scan_iter())
    assert found > set(VALUES)
    return sorted(found)


def test_garbage_under_every_key(
    running: ApiProcess, redis: Redis, keys: list[str], sql: Sql
) -> None:
    values = {kind: (plant, VALUES) for kind, plant in STRINGS.items()}
    others = {f"{kind} everywhere": (plant, keys) for kind, plant in TYPES.items()}
    for kind, (plant, places) in (values | others).items():
        redis.flushall()
        for key in places:
            plant(redis, key)
        for time in ("first", "second"):
            for path in (LIST, TASK) * 2:  # another connection, maybe another worker
                shows_what_is(running, path, sql, kind)
            change = json.dumps({"title": f"{kind} {time}"})
            response, body = running.request("PUT", TASK, change, JSON)
            assert response.status == 200, (kind, body)
            response, body = running.request("POST", LIST, '{"title": "new"}', JSON)
            assert response.status == 201, (kind, body)
        for path in (LIST, TASK):
            wait_for(
                lambda path=path, kind=kind: shows_what_is(running, path, sql, kind) == "cache",  # type: ignore[misc]
                f"{path} to be cached after {kind}",
            )


def shows_what_is(api: ApiProcess, path: str, sql: Sql, kind: str) -> object:
    """Check that an answer shows what is in the database; returns its source."""
    content = read(api, path)
    rows = sql("SELECT id, title FROM tasks")
    tasks = content["tasks"] if path == LIST else [content["task"]]
    shown = [(task["id"], task["title"]) for task in tasks]
    wanted = rows if path == LIST else [row for row in rows if row[0] == 1]
    assert sorted(shown) == sorted(wanted), (kind, path)
    return content["source"]


def read(api: ApiProcess, path: str) -> dict[str, object]:
    """The content of an answer, which must be 200."""
    response, body = api.request("GET", path)
    assert response.status == 200, body
    content: dict[str, object] = json.loads(body)
    return content
