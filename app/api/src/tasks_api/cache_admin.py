"""A look into the cache, and a way to empty it."""

from __future__ import annotations

from flask import Blueprint, Response

from tasks_api.responses import json_object
from tasks_api.services import services

blueprint = Blueprint("cache", __name__, url_prefix="/cache")


@blueprint.get("/stats")
def statistics() -> Response:
    """Show the counters of Redis."""
    return json_object(**services().cache.statistics())


@blueprint.post("/clear")
def clear() -> Response:
    """Empty the cache."""
    services().cache.clear()
    return json_object(message="Cache cleared successfully")
