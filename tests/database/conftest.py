"""A PostgreSQL of its own for tests of roles, which belong to a whole cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.database.cluster import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a running server with a migrated database and its roles."""
    one = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        one.server.start()
        assert one.run("migrate").returncode == 0
        assert one.run("roles", **one.names()).returncode == 0
        yield one
    finally:
        one.server.stop()
