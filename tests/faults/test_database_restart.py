"""PostgreSQL restarts under load, or is not there at the start."""

from __future__ import annotations

import json
import signal
import time

import pytest
from redis import Redis

from tests.api.servers import ApiProcess, Postgres, RedisServer, Sql, wait_for
from tests.faults.conftest import start
from tests.faults.load import Load, Request, Sent, answered

SERVES_WITHIN_SECONDS = 5.0


def reads_and_writes(client: int, number: int) -> Request:
    """Of four requests one creates a task with a title of its own, two miss the cache."""
    return (
        Request("POST", "/tasks", {"title": f"{client}-{number}"}),
        Request("GET", "/tasks"),
        Request("GET", f"/tasks/{1000 + client}"),
        Request("GET", "/tasks/1"),
    )[number % 4]


def titles(sent: list[Sent], *statuses: int) -> set[object]:
    """The titles of the tasks whose creation was answered so."""
    return {
        one.request.body["title"]
        for one in sent
        if one.request.body is not None and one.status in statuses
    }


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["in order", "crashing"])
def test_database_restarts_under_load(
    how: signal.Signals, running: ApiProcess, postgres: Postgres, sql: Sql
) -> None:
    # A sequence copied with its database does not log its first values, so that a crash forgets
    # them; after a checkpoint it does.
    sql("CHECKPOINT")
    with Load(running, reads_and_writes) as load:
        wait_for(lambda: titles(load.sent[:], 201), "tasks to be created")
        began = time.monotonic()
        postgres.stop(how)
        try:
            wait_for(lambda: titles(load.sent[:], 503), "the outage to be noticed")
        finally:
            postgres.start()
        ready = time.monotonic()
        time.sleep(SERVES_WITHIN_SECONDS + 1.5)
    answered(load.sent, 200, 201, 404, 503)
    answered(load.during(0, began - 0.5), 200, 201, 404)
    answered(load.during(ready + SERVES_WITHIN_SECONDS), 200, 201, 404)
    assert all(int(one.headers["Retry-After"]) > 0 for one in load.sent if one.status == 503)  # type: ignore[index]
    stored = [title for (title,) in sql("SELECT title FROM tasks WHERE id > 3")]
    acknowledged = titles(load.sent, 201)
    assert acknowledged - set(stored) == set(), "acknowledged, then lost"
    assert len(set(stored)) == len(stored), "stored twice"
    # What was answered 503 may have been stored, what was refused as wrong not.
    assert set(stored) <= acknowledged | titles(load.sent, 503)


def test_starts_before_database_and_redis(
    api: ApiProcess,
    api_environment: dict[str, str],
    postgres: Postgres,
    redis: Redis,
    redis_server: RedisServer,
) -> None:
    postgres.stop()
    redis_server.stop()
    try:
        start(api, api_environment)
        assert api.request("GET", "/livez")[0].status == 200
        assert api.request("GET", "/tasks")[0].status == 503
        redis_server.start()
        assert api.request("GET", "/tasks")[0].status == 503
    finally:
        if redis_server.process is None:
            redis_server.start()
        postgres.start()
    ready = time.monotonic()

    def read() -> dict[str, object]:
        response, body = api.request("GET", "/tasks")
        content: dict[str, object] = json.loads(body)
        return content if response.status == 200 else {}

    wait_for(read, "the database to be used")
    assert time.monotonic() < ready + SERVES_WITHIN_SECONDS
    wait_for(lambda: read()["source"] == "cache", "the cache to be used")
    assert read()["count"] == 3
    health, body = api.request("GET", "/health")
    assert (health.status, set(json.loads(body).values())) == (200, {"healthy"})
