"""The servers of `tests/api`, and the service's description of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import (
    api,
    api_environment,
    client,
    config,
    database,
    make_client,
    new_database,
    postgres,
    redis,
    redis_server,
)

__all__ = [
    "api",
    "api_environment",
    "client",
    "config",
    "database",
    "make_client",
    "new_database",
    "postgres",
    "redis",
    "redis_server",
]


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    """Return what /openapi.json says."""
    described: dict[str, Any] = json.loads(client.get("/openapi.json").data)
    return described
