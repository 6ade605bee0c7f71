"""PostgreSQL or Redis missing, broken, locked, restarted: what still works, and how the rest says no."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from flask.testing import FlaskClient
from redis import Redis
from werkzeug.test import TestResponse

from tests.api.servers import MakeClient, Postgres, RedisServer, Sql, wait_for

UNHEALTHY_CACHE = {"api": "healthy", "cache": "unhealthy", "database": "healthy"}
UNHEALTHY_DATABASE = {"api": "healthy", "cache": "healthy", "database": "unhealthy"}


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """Return threads to send requests from."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def stopped_redis(redis_server: RedisServer, redis: Redis) -> Iterator[RedisServer]:
    """Return the Redis of the session, stopped; it runs again afterwards."""
    redis_server.stop()
    try:
        yield redis_server
    finally:
        if redis_server.process is None:
            redis_server.start()


def unavailable(response: TestResponse, service: str = "database") -> None:
    """Check for a 503 that says when to come back and nothing of the inside."""
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.json == {
        "error": {
            "code": f"{service}_unavailable",
            "message": f"The {service} is not available at the moment.",
            "fields": {},
        }
    }


def everything_works_without_cache(client: FlaskClient) -> None:
    """Check every operation on tasks, and that nothing comes from a cache."""
    assert client.get("/tasks").json["source"] == "database"
    assert client.get("/tasks").json["source"] == "database"
    number = client.post("/tasks", json={"title": "t"}).json["task"]["id"]
    assert client.put(f"/tasks/{number}", json={"title": "u"}).status_code == 200
    assert client.get(f"/tasks/{number}").json["task"]["title"] == "u"
    assert client.delete(f"/tasks/{number}").status_code == 200
    assert client.get(f"/tasks/{number}").status_code == 404
    health = client.get("/health")
    assert (health.status_code, health.json) == (200, UNHEALTHY_CACHE)


def cached_again(client: FlaskClient) -> None:
    """Wait until answers come from the cache."""
    wait_for(lambda: client.get("/tasks").json["source"] == "cache", "the cache to come back")


def test_redis_stops_and_comes_back(client: FlaskClient, redis_server: RedisServer) -> None:
    assert client.get("/tasks").json["source"] == "database"
    assert client.get("/tasks").json["source"] == "cache"
    redis_server.stop()
    try:
        everything_works_without_cache(client)
    finally:
        redis_server.start()
    cached_again(client)
    assert client.get("/health").json["cache"] == "healthy"


def test_redis_is_not_there_at_the_start(client: FlaskClient, stopped_redis: RedisServer) -> None:
    everything_works_without_cache(client)
    stopped_redis.start()
    cached_again(client)


def test_redis_hangs(client: FlaskClient, redis_server: RedisServer) -> None:
    client.get("/tasks")
    assert redis_server.process
    redis_server.process.send_signal(signal.SIGSTOP)
    try:
        everything_works_without_cache(client)
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
    cached_again(client)


def test_redis_takes_no_writes(client: FlaskClient, redis: Redis) -> None:
    redis.config_set("maxmemory", "1")
    try:
        assert client.get("/tasks").json["source"] == "database"
        assert client.get("/tasks").json["source"] == "database"
        assert client.post("/tasks", json={"title": "t"}).status_code == 201
    finally:
        redis.config_set("maxmemory", "0")


def test_redis_wants_another_password(make_client: MakeClient) -> None:
    everything_works_without_cache(make_client(redis_password="wrong"))


def test_cache_pages_without_redis(client: FlaskClient, stopped_redis: RedisServer) -> None:
    unavailable(client.get("/cache/stats"), "cache")
    unavailable(client.post("/cache/clear"), "cache")


def test_an_outage_of_redis_is_logged_once(
    make_client: MakeClient, stopped_redis: RedisServer, capfd: pytest.CaptureFixture[str]
) -> None:
    client = make_client(log_level="WARNING")
    for _ in range(3):
        client.get("/tasks")
    stopped_redis.start()
    cached_again(client)
    lost, back = capfd.readouterr().out.splitlines()
    assert lost.startswith("WARNING Cache unavailable, going on without: ")
    assert back == "WARNING Cache available again"


def test_database_is_not_there_at_the_start(
    make_client: MakeClient, postgres: Postgres, database: str
) -> None:
    postgres.stop()
    try:
        client = make_client()
        health = client.get("/health")
        assert (health.status_code, health.json) == (503, UNHEALTHY_DATABASE)
        assert int(health.headers["Retry-After"]) > 0
        assert client.get("/livez").status_code == 200
        unavailable(client.get("/tasks"))
        unavailable(client.get("/tasks/1"))
        unavailable(client.post("/tasks", json={"title": "t"}))
        unavailable(client.put("/tasks/1", json={"title": "t"}))
        unavailable(client.delete("/tasks/1"))
        assert client.get("/tasks/abc").status_code == 404
        assert client.post("/tasks", json={}).status_code == 422
    finally:
        postgres.start()
    assert client.get("/health").status_code == 200
    assert client.get("/tasks").json["count"] == 3


def test_database_restarts_under_kept_connections(
    client: FlaskClient,
    postgres: Postgres,
    redis: Redis,
    locked_tasks: psycopg2.extensions.connection,
    executor: ThreadPoolExecutor,
    sql: Sql,
) -> None:
    answers = [executor.submit(client.get, f"/tasks/{number}") for number in (1, 2, 3)]
    wait_for(lambda: len(waiting(sql)) == 3, "three connections to be in use")
    locked_tasks.rollback()
    assert [answer.result().status_code for answer in answers] == [200, 200, 200]
    postgres.stop()
    postgres.start()
    assert client.post("/tasks", json={"title": "first"}).status_code == 201
    postgres.stop()
    postgres.start()
    redis.flushall()
    assert client.get("/tasks").json["count"] == 4


def test_cached_reads_go_on_without_database(client: FlaskClient, postgres: Postgres) -> None:
    client.get("/tasks")
    postgres.stop()
    try:
        assert client.get("/tasks").json["source"] == "cache"
    finally:
        postgres.start()


def test_read_whose_connection_is_lost_is_sent_again(
    client: FlaskClient,
    locked_tasks: psycopg2.extensions.connection,
    executor: ThreadPoolExecutor,
    sql: Sql,
) -> None:
    locked_tasks.rollback()
    assert client.get("/tasks/1").status_code == 200  # now a connection is kept
    _lock(locked_tasks)
    answer = executor.submit(client.get, "/tasks")
    terminate_waiting(sql)
    wait_for(lambda: waiting(sql), "the read to be sent again")
    locked_tasks.rollback()
    assert answer.result().json["count"] == 3


def test_write_whose_connection_is_lost_is_not_sent_again(
    client: FlaskClient,
    locked_tasks: psycopg2.extensions.connection,
    executor: ThreadPoolExecutor,
    sql: Sql,
) -> None:
    locked_tasks.rollback()
    assert client.get("/tasks/1").status_code == 200
    _lock(locked_tasks)
    answer = executor.submit(client.post, "/tasks", json={"title": "t"})
    terminate_waiting(sql)
    unavailable(answer.result())
    locked_tasks.rollback()
    assert sql("SELECT count(*) FROM tasks") == [(3,)]
    assert client.post("/tasks", json={"title": "t"}).status_code == 201


def test_statement_that_takes_too_long(
    make_client: MakeClient, locked_tasks: psycopg2.extensions.connection
) -> None:
    client = make_client(db_statement_timeout_seconds=1)
    unavailable(client.get("/tasks"))
    unavailable(client.post("/tasks", json={"title": "t"}))
    locked_tasks.rollback()
    assert client.get("/tasks").status_code == 200


def test_more_requests_than_connections(
    make_client: MakeClient,
    locked_tasks: psycopg2.extensions.connection,
    executor: ThreadPoolExecutor,
    sql: Sql,
) -> None:
    client = make_client(db_pool_size=1, db_pool_wait_seconds=1)
    first = executor.submit(client.get, "/tasks")
    wait_for(lambda: waiting(sql), "the first request to hold the only connection")
    unavailable(client.get("/tasks"))
    locked_tasks.rollback()
    assert first.result().json["count"] == 3
    assert client.get("/tasks/1").status_code == 200


def test_a_locked_row_holds_half_of_the_connections(
    make_client: MakeClient,
    postgres: Postgres,
    database: str,
    executor: ThreadPoolExecutor,
    sql: Sql,
) -> None:
    client = make_client(db_pool_size=3, db_statement_timeout_seconds=60)
    connection = postgres.connect(database)
    connection.autocommit = False
    connection.cursor().execute("SELECT FROM tasks WHERE id = 1 FOR UPDATE")
    changes = [
        executor.submit(client.put, "/tasks/1", json={"title": "t"}),
        executor.submit(client.put, "/tasks/1", json={"title": "u"}),
        executor.submit(client.delete, "/tasks/1"),
    ]
    wait_for(lambda: sum(change.done() for change in changes) == 2, "the others to be refused")
    (first,) = [change for change in changes if not change.done()]
    for refused in (change.result() for change in changes if change is not first):
        assert (refused.status_code, refused.json["error"]["code"]) == (503, "task_locked")
        assert int(refused.headers["Retry-After"]) > 0
    for _ in range(3):
        assert client.get("/tasks?limit=1").status_code == 200
        assert client.post("/tasks", json={"title": "t"}).status_code == 201
        assert client.put("/tasks/2", json={"title": "t"}).status_code == 200
        assert client.delete("/tasks/1").json["error"]["code"] == "task_locked"
    connection.close()
    assert first.result().status_code == 200
    assert client.put("/tasks/3", json={"title": "v"}).status_code == 200


def test_changes_of_one_task_at_once_all_happen(
    client: FlaskClient, executor: ThreadPoolExecutor
) -> None:
    bodies = [{"title": f"{number}"} for number in range(40)]
    answers = executor.map(lambda body: client.put("/tasks/1", json=body).status_code, bodies)
    assert set(answers) == {200}


def test_schema_that_is_not_there_yet(client: FlaskClient, sql: Sql) -> None:
    sql("ALTER TABLE tasks RENAME TO later")
    health = client.get("/health")
    assert (health.status_code, health.json) == (503, UNHEALTHY_DATABASE)
    unavailable(client.get("/tasks"))
    unavailable(client.post("/tasks", json={"title": "t"}))
    sql("ALTER TABLE later RENAME TO tasks")
    assert client.get("/health").status_code == 200
    assert client.post("/tasks", json={"title": "t"}).status_code == 201


@pytest.mark.parametrize(
    "wrong", [{"db_password": "wrong"}, {"db_name": "nowhere"}, {"db_user": "nobody"}], ids=str
)
def test_wrong_access_data(
    make_client: MakeClient, wrong: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    unavailable(make_client(**wrong).get("/tasks"))
    assert "WARNING Database unavailable: " in capfd.readouterr().out


def test_unexpected_error_gives_nothing_away(
    make_client: MakeClient, sql: Sql, capfd: pytest.CaptureFixture[str]
) -> None:
    sql("ALTER TABLE tasks ADD CONSTRAINT surprise CHECK (title <> 'secret')")
    response = make_client().post("/tasks", json={"title": "secret"})
    assert response.status_code == 500
    assert response.json == {
        "error": {
            "code": "internal_error",
            "message": "The request could not be served.",
            "fields": {},
        }
    }
    assert "surprise" in capfd.readouterr().out


def waiting(sql: Sql) -> list[tuple[object, ...]]:
    """Return the server processes of the API that wait for a lock."""
    return sql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'tasks_api'"
        " AND wait_event_type = 'Lock' AND datname = current_database()"
    )


def terminate_waiting(sql: Sql) -> None:
    """Wait for a statement of the API that waits for a lock, and cut its connection."""
    wait_for(lambda: waiting(sql), "a statement to wait")
    [(pid,)] = waiting(sql)
    sql(f"SELECT pg_terminate_backend({pid})")
    wait_for(lambda: (pid,) not in waiting(sql), "the connection to end")


def _lock(connection: psycopg2.extensions.connection) -> None:
    connection.cursor().execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
