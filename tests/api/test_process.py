"""The API as its image runs it: `python -m tasks_api`, from start to SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from tests.api.servers import ApiProcess, Sql, free_port, wait_for

JSON = {"Content-Type": "application/json"}
WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'tasks_api'"
    " AND wait_event_type = 'Lock' AND datname = current_database()"
)


def raw(api: ApiProcess, request: bytes) -> bytes:
    """Send bytes on a connection of their own and return all until the server closes it."""
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def worker_pids(api: ApiProcess) -> set[int]:
    """Return the processes started by the server's main process."""
    assert api.process
    pid = api.process.pid
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_serves_and_logs_as_the_seed_shows(
    api: ApiProcess, api_environment: dict[str, str]
) -> None:
    api.start(**api_environment)
    for source in ("database", "cache"):
        response, body = api.request("GET", "/tasks")
        assert response.status == 200
        assert json.loads(body)["source"] == source
    response, body = api.request("HEAD", "/health")
    assert (response.status, body) == (200, b"")
    lines = [line for line in api.log.splitlines() if line.startswith("Cache")]
    assert lines == [
        "Cache MISS - Consultando banco de dados",
        "Cache SET - Key: all_tasks - Expiration: 60s",
        "Cache HIT - Retornando dados do Redis",
        "Cache GET - Key: all_tasks - FOUND",
    ]
    assert api.stop() == 0


def test_requests_beyond_the_ordinary(api: ApiProcess, api_environment: dict[str, str]) -> None:
    api.start(**api_environment, API_WORKERS="1")
    head = b" HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n"
    assert raw(api, b"GET http://api" + head).startswith(b"HTTP/1.1 200 ")
    assert raw(api, b"GET /tasks/%zz" + head).startswith(b"HTTP/1.1 404 ")
    for nonsense in (b"GET /tasks", b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9"):
        assert raw(api, nonsense + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_connection_outlives_a_body_nobody_wanted(
    api: ApiProcess, api_environment: dict[str, str]
) -> None:
    api.start(**api_environment, API_WORKERS="1")
    text = {"Content-Type": "text/plain"}
    connection = api.connect()
    for method, path, status in [
        ("POST", "/tasks", 415),
        ("POST", "/nowhere", 404),
        ("PATCH", "/tasks/1", 405),
        ("PUT", "/tasks/0", 404),
        ("POST", "/cache/clear", 200),
        ("GET", "/tasks", 200),
        ("DELETE", "/tasks/9", 404),
    ] * 5:
        connection.request(method, path, b"x" * 60_000, text)
        first = connection.sock
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert connection.sock is first
    connection.close()


def test_connection_is_closed_openly_after_too_large_a_body(
    api: ApiProcess, api_environment: dict[str, str]
) -> None:
    api.start(**api_environment, API_WORKERS="1")
    response, _ = api.request("POST", "/tasks", b"x" * 65_537, JSON)
    assert (response.status, response.headers["Connection"]) == (413, "close")


def test_sigterm_lets_a_running_request_end(
    api: ApiProcess,
    api_environment: dict[str, str],
    locked_tasks: psycopg2.extensions.connection,
    sql: Sql,
) -> None:
    api.start(**api_environment)
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(api.request, "GET", "/tasks")
        wait_for(lambda: sql(WAITING), "the request to reach the database")
        assert api.process
        api.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "Shutting down" in api.log, "the server to react")
        locked_tasks.rollback()
        response, body = answer.result()
    assert (response.status, json.loads(body)["count"]) == (200, 3)
    assert api.stop() == 0


def test_starts_with_everything_down(api: ApiProcess) -> None:
    nobody = str(free_port())
    environ = {"DB_HOST": "127.0.0.1", "DB_PORT": nobody, "DB_PASSWORD": "x"}
    api.start(**environ, REDIS_HOST="127.0.0.1", REDIS_PORT=nobody)
    response, body = api.request("GET", "/health")
    assert response.status == 503
    assert json.loads(body) == {"api": "healthy", "cache": "unhealthy", "database": "unhealthy"}
    assert api.stop() == 0


def test_killed_worker_is_replaced(api: ApiProcess, api_environment: dict[str, str]) -> None:
    api.start(**api_environment, API_WORKERS="2")
    wait_for(lambda: api.log.count("Started worker") == 2, "both workers to listen")
    before = worker_pids(api)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(worker_pids(api) - {victim}) >= len(before), "a new worker")
    assert api.request("GET", "/tasks")[0].status == 200
    assert api.stop() == 0


def test_workers_killed_again_and_again_are_replaced(
    api: ApiProcess, api_environment: dict[str, str]
) -> None:
    api.start(**api_environment, API_WORKERS="2")
    for _ in range(3):
        before = worker_pids(api)
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda before=before: len(worker_pids(api) - before) == 2, "new workers")
    wait_for(lambda: api._answers(), "the server to serve again")
    assert api.stop() == 0


def test_health_check_of_the_container(api: ApiProcess, api_environment: dict[str, str]) -> None:
    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tasks_api.ops.healthcheck"],
            env=api.environment(http_proxy="http://127.0.0.1:1", API_HOST="0.0.0.0"),
            capture_output=True,
            text=True,
            check=False,
        )

    down = check()
    assert (down.returncode, down.stdout) == (1, "")
    assert down.stderr.startswith("unhealthy: ")
    api.start(**api_environment)
    assert (check().returncode, check().stderr) == (0, "")


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({}, "DB_PASSWORD is not set: give DB_PASSWORD or DB_PASSWORD_FILE"),
        ({"DB_PASSWORD": "s3cret\x7f"}, "DB_PASSWORD holds a control character"),
        ({"DB_PASSWORD": "s3cret", "API_PORT": "http"}, "API_PORT must be a whole number from"),
    ],
    ids=["missing", "unusable", "wrong"],
)
def test_wrong_settings_end_the_start_in_one_line(
    api: ApiProcess, environ: dict[str, str], reason: str
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tasks_api"],
        env=api.environment() | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"tasks_api cannot start: {reason}")
    assert result.stderr.count("\n") == 1
    assert "s3cret" not in result.stderr


def test_port_of_another_api_ends_the_start_in_one_line(api: ApiProcess) -> None:
    api.start(DB_PASSWORD="x")
    result = subprocess.run(
        [sys.executable, "-m", "tasks_api"],
        env=api.environment(DB_PASSWORD="x"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert f"tasks_api cannot listen on 127.0.0.1:{api.port}: " in result.stderr
    assert result.stderr.count("\n") == 1


def test_sigterm_while_workers_still_load(api: ApiProcess) -> None:
    api.start_only(DB_PASSWORD="x")
    wait_for(lambda: "Spawning worker" in api.log, "the first worker")
    asked = time.monotonic()
    assert api.stop() == 0
    # A worker that does not react is killed after 15 s. (granian's log is no proof: it says so of
    # one that has just ended, too, when another thread was the first to learn of it.)
    assert time.monotonic() < asked + 10


@pytest.mark.parametrize("half_open", [True, False])
def test_a_body_that_was_cut_off_does_nothing(
    api: ApiProcess, api_environment: dict[str, str], sql: Sql, half_open: bool
) -> None:
    api.start(**api_environment, API_WORKERS="1")
    head = b"POST /tasks HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        connection.sendall(head + b'Content-Length: 100\r\n\r\n{"title": "cut off"}')
        if half_open:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    counted = 'http_requests_total{code="400",method="POST",route="none"} 1.0'
    wait_for(lambda: counted in api.request("GET", "/metrics")[1].decode(), "the refusal")
    assert sql("SELECT count(*) FROM tasks") == [(3,)]


def test_what_a_killed_worker_had_in_use_is_not_counted(
    api: ApiProcess,
    api_environment: dict[str, str],
    locked_tasks: psycopg2.extensions.connection,
    sql: Sql,
) -> None:
    def in_use() -> str:
        lines = api.request("GET", "/metrics")[1].decode().splitlines()
        return next(line for line in lines if line.startswith("db_connections_in_use"))

    api.start(**api_environment, API_WORKERS="2")
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(api.request, "GET", "/tasks")
        wait_for(lambda: sql(WAITING), "the request to reach the database")
        assert in_use().endswith(" 1.0")
        for worker in worker_pids(api):
            os.kill(worker, signal.SIGKILL)
        with pytest.raises(ConnectionError):
            answer.result()
    locked_tasks.rollback()
    wait_for(lambda: api.log.count("Started worker") >= 4, "new workers")
    assert in_use().endswith(" 0.0")
    assert api.stop() == 0
