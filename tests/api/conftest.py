"""Fixtures: one PostgreSQL and one Redis per session, a new database and empty cache per test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from tasks_api.app import create_app
from tasks_api.config import Config

from tests.api.servers import PASSWORD, ApiProcess, MakeClient, Postgres, RedisServer, Sql

MIGRATIONS = Path(__file__).parents[2] / "app/database/migrations"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Return a running PostgreSQL with a migrated database called `template`."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    try:
        server.start()
        server.execute("CREATE DATABASE template")
        files = sorted(MIGRATIONS.glob("*.sql"))
        assert files, f"no migrations in {MIGRATIONS}"
        for file in files:
            server.execute(file.read_text(encoding="utf-8"), "template")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a running Redis."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    """Return a client of the Redis under test, which is empty."""
    with Redis(port=redis_server.port, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def new_database(postgres: Postgres) -> Callable[[], str]:
    """Return a function that makes a database with the seed's three tasks and returns its name."""

    def make() -> str:
        name = f"test_{next(_numbers)}"
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE template")
        return name

    return make


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    """Return the name of the test's own database."""
    return new_database()


@pytest.fixture
def config(postgres: Postgres, redis: Redis, redis_server: RedisServer, database: str) -> Config:
    """Return settings that lead to the servers under test."""
    return Config(
        db_host="127.0.0.1",
        db_port=postgres.port,
        db_name=database,
        db_password=PASSWORD,
        redis_host="127.0.0.1",
        redis_port=redis_server.port,
    )


@pytest.fixture
def make_client(config: Config) -> Iterator[MakeClient]:
    """Return a function that makes a client of an application, changing the given settings."""
    apps: list[Flask] = []

    def make(**changes: object) -> FlaskClient:
        apps.append(create_app(replace(config, **changes)))  # type: ignore[arg-type]
        return apps[-1].test_client()

    yield make
    for app in apps:
        services = app.extensions["tasks_api"]
        services.database.close()
        services.cache.close()


@pytest.fixture
def client(make_client: MakeClient) -> FlaskClient:
    """Return a client of an application with the settings of `config`."""
    return make_client()


@pytest.fixture
def sql(postgres: Postgres, database: str) -> Sql:
    """Return a function that runs SQL in the test's database, past the API."""
    return lambda statement: postgres.execute(statement, database)


@pytest.fixture
def locked_tasks(postgres: Postgres, database: str) -> Iterator[psycopg2.extensions.connection]:
    """Return a connection that holds the table `tasks` locked until it is closed."""
    connection = postgres.connect(database)
    connection.autocommit = False
    try:
        connection.cursor().execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        yield connection
    finally:
        connection.close()


@pytest.fixture
def api_environment(config: Config) -> dict[str, str]:
    """Return the environment variables that say what `config` says."""
    return {
        "DB_HOST": config.db_host,
        "DB_PORT": str(config.db_port),
        "DB_NAME": config.db_name,
        "DB_PASSWORD": config.db_password,
        "REDIS_HOST": config.redis_host,
        "REDIS_PORT": str(config.redis_port),
    }


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiProcess]:
    """Return an API process, not yet started."""
    process = ApiProcess(tmp_path)
    try:
        yield process
    finally:
        process.stop()
