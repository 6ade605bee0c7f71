"""A look into the cache, and a way to empty it."""

from __future__ import annotations

from flask import Blueprint, Response

from tasks_api.errors import Unavailable
from tasks_api.http.flask_response import json_response
from tasks_api.openapi.operations import describe
from tasks_api.openapi.schemas import CacheStatistics, Message
from tasks_api.services import services

_DOWN = Unavailable("cache")

blueprint = Blueprint("cache", __name__, url_prefix="/cache")


@blueprint.get("/stats")
@describe({200: CacheStatistics}, scope="admin", errors=[_DOWN])
def statistics() -> Response:
    """Show the counters of Redis."""
    return json_response(services().cache.statistics())


@blueprint.post("/clear")
@describe({200: Message}, scope="admin", errors=[_DOWN])
def clear() -> Response:
    """Empty the cache."""
    services().cache.clear()
    return json_response(Message("Cache cleared successfully"))
