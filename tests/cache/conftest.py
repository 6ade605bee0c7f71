"""Fixtures: those of the API's tests, and two API processes, one of which reaches Redis through a proxy."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api.conftest import (  # noqa: F401
    api,
    api_environment,
    config,
    database,
    new_database,
    postgres,
    redis,
    redis_server,
    sql,
)
from tests.api.servers import ApiProcess, RedisServer
from tests.cache.client import Client, wait_until_cached
from tests.support.processes import tree
from tests.support.proxy import Proxy


class Pair(NamedTuple):
    """Two servers of the API on one database and one Redis, which `far` reaches by `proxy`."""

    near: ApiProcess
    far: ApiProcess
    proxy: Proxy

    def clients(self) -> tuple[Client, Client]:
        """New connections to both, in the same order."""
        return Client(self.near), Client(self.far)


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:  # noqa: F811
    """Return a way to Redis that can be delayed and broken."""
    with Proxy(redis_server.port) as made:
        yield made


@pytest.fixture
def pair(tmp_path: Path, api_environment: dict[str, str], proxy: Proxy) -> Iterator[Pair]:  # noqa: F811
    """Return two running servers that cache."""
    servers = []
    for name in ("near", "far"):
        (tmp_path / name).mkdir()
        servers.append(ApiProcess(tmp_path / name))
    environ = {
        **api_environment,
        "API_WORKERS": "1",
        "API_THREADS": "8",
        "LOG_LEVEL": "WARNING",
        "DB_STATEMENT_TIMEOUT_SECONDS": "2",
        "DB_CONNECT_TIMEOUT_SECONDS": "2",
    }
    made = Pair(*servers, proxy)
    try:
        made.near.start(**environ)
        made.far.start(**environ | {"REDIS_PORT": str(proxy.port)})
        wait_until_cached(*servers)
        yield made
    finally:
        for server in servers:
            kill(server)


def kill(server: ApiProcess) -> None:
    """End a server and its workers as a crash of their machine does."""
    if server.process:
        for pid in tree(server):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    server.stop(signal.SIGKILL)
