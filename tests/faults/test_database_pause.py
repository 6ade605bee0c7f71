"""PostgreSQL stands still, or is slow: whoever needs it is told so in time, the others go on."""

from __future__ import annotations

import time

import psycopg2
import pytest

from tests.api.servers import ApiProcess, Postgres, Sql, wait_for
from tests.faults.load import Load, Request, Sent, answered, slowest, usual
from tests.support.processes import paused

# A connection is waited for 1 s, a statement 5.5 s; the rest is for a busy machine.
DEADLINE_SECONDS = 6.0 + 2.0
PAUSE_SECONDS = 7.0
QUICK_SECONDS = 2.0


def misses(client: int, number: int) -> Request:
    """Reads that find nothing in the cache, and a write."""
    if number % 4 == 3:
        return Request("PUT", "/tasks/2", {"title": f"{client}-{number}"})
    return Request("GET", f"/tasks/{1000 + 16 * number + client}")


def needs_nothing(client: int, number: int) -> Request:
    """What is answered without PostgreSQL."""
    return Request("GET", "/livez" if number % 2 else "/tasks/1")


def refused_in_time(sent: list[Sent]) -> None:
    """Check that all were answered within the deadline, with 503 and when to come back."""
    answered(sent, 503)
    assert slowest(sent) < DEADLINE_SECONDS
    assert all(int(one.headers["Retry-After"]) > 0 for one in sent)  # type: ignore[index]


def went_on(sent: list[Sent]) -> None:
    """Check that what needs no database was answered quickly, reads from the cache."""
    answered(sent, 200)
    assert {one.request.path for one in sent} == {"/livez", "/tasks/1"}
    assert all(one.cached for one in sent if one.request.path != "/livez")
    assert slowest(sent) < QUICK_SECONDS
    assert usual(sent) < 0.2


def test_database_stands_still(running: ApiProcess, postgres: Postgres) -> None:
    running.request("GET", "/tasks/1")
    with Load(running, needs_nothing, clients=2) as others:
        with Load(running, misses, clients=16) as load:
            wait_for(lambda: len(load.sent) > 100, "the database to be used")
            with paused(postgres):
                began = time.monotonic()
                time.sleep(PAUSE_SECONDS)
                resumed = time.monotonic()
            wait_for(
                lambda: any(one.status == 404 for one in load.during(resumed)),
                "it to be used again",
            )
            back = time.monotonic()
            time.sleep(1)
        time.sleep(0.2)
    assert back - resumed < DEADLINE_SECONDS
    answered(load.during(0, began - 1), 200, 404)
    refused_in_time([one for one in load.during(began) if one.ended < resumed])
    answered(load.sent, 200, 404, 503)
    assert slowest(load.sent) < DEADLINE_SECONDS
    answered(load.during(back + 0.5), 200, 404)
    went_on(others.during(began))


@pytest.mark.parametrize("clients", [32])
def test_more_clients_than_connections(
    clients: int,
    running: ApiProcess,
    locked_tasks: psycopg2.extensions.connection,
    sql: Sql,
) -> None:
    locked_tasks.rollback()
    running.request("GET", "/tasks/1")
    locked_tasks.cursor().execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
    with Load(running, needs_nothing, clients=2) as others:
        with Load(running, misses, clients=clients) as load:
            began = time.monotonic()
            time.sleep(PAUSE_SECONDS)
            assert connections(sql) <= 2 * (4 + 1)  # of each worker: its pool, and one that listens
            unlocked = time.monotonic()
            locked_tasks.rollback()
            wait_for(
                lambda: any(one.status == 404 for one in load.during(unlocked)), "the queue to move"
            )
            back = time.monotonic()
            time.sleep(1)
        time.sleep(0.2)
    refused_in_time([one for one in load.during(began) if one.ended < unlocked])
    answered(load.sent, 200, 404, 503)
    answered(load.during(back + 0.5), 200, 404)
    went_on(others.during(began))


def connections(sql: Sql) -> int:
    """How many connections the API has."""
    [(count,)] = sql(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'tasks_api' AND datname = current_database()"
    )
    assert isinstance(count, int)
    return count
