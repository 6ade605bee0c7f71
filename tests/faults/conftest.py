"""Fixtures: those of the API's tests, and what breaks the servers behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.api.conftest import (  # noqa: F401
    api,
    api_environment,
    config,
    database,
    locked_tasks,
    new_database,
    postgres,
    redis,
    redis_server,
    sql,
)
from tests.api.servers import PASSWORD, ApiProcess, Postgres, wait_for

# Without requests under way; killing a worker that does not end would take 15 s.
STOP_SECONDS = 8.0


@pytest.fixture
def running(api: ApiProcess, api_environment: dict[str, str]) -> Iterator[ApiProcess]:  # noqa: F811
    """Return the API, started; whatever it went through, it stops in good order."""
    start(api, api_environment)
    yield api
    asked = time.monotonic()
    assert api.stop() == 0
    assert time.monotonic() < asked + STOP_SECONDS, api.log[-3000:]
    assert "Traceback" not in api.log, api.log[api.log.index("Traceback") :][:6000]


def start(api: ApiProcess, environ: dict[str, str]) -> None:  # noqa: F811
    """Start the API with two workers and wait until both listen."""
    api.start(**environ, API_WORKERS="2")
    wait_for(lambda: api.log.count("Started worker") == 2, "both workers to listen")


def environment(server: Postgres, database: str, redis_port: int) -> dict[str, str]:  # noqa: F811
    """Return the environment of an API on this PostgreSQL and the Redis at this loopback port."""
    return {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(server.port),
        "DB_NAME": database,
        "DB_PASSWORD": PASSWORD,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis_port),
    }
