"""What the service is, whether it lives, and whether it can work."""

from __future__ import annotations

from flask import Blueprint, Response

from tasks_api import __version__
from tasks_api.db.database import Database
from tasks_api.errors import RETRY_AFTER_SECONDS, Unavailable
from tasks_api.http.flask_response import json_response
from tasks_api.openapi import description
from tasks_api.openapi.operations import describe, endpoints
from tasks_api.openapi.schemas import JSON, Health, Index, Liveness, State
from tasks_api.openapi.security import Admission
from tasks_api.ops import metrics
from tasks_api.services import services
from tasks_api.tasks import queries

blueprint = Blueprint("health", __name__)


# Not strict: a request line without a path, as in `GET http://host`, is one for the root.
@blueprint.get("/", strict_slashes=False)
@describe({200: Index}, scope="open")
def index() -> Response:
    """Describe the API."""
    environment = services().config.environment
    return json_response(Index("Tasks API", __version__, environment, endpoints()))


@blueprint.get("/health")
@describe({200: Health, 503: Health}, scope="open", shows={503: {"database": "unhealthy"}})
def health() -> Response:
    """Tell the state of API, cache and database; 503 if tasks cannot be served."""
    _, database, cache, _ = services()
    serves = _serves_tasks(database)
    answer = Health("healthy", _word(cache.is_healthy()), _word(serves))
    if serves:
        return json_response(answer)
    return json_response(answer, 503, Retry_After=str(RETRY_AFTER_SECONDS))


@blueprint.get("/livez")
@describe({200: Liveness}, scope="open")
def livez() -> Response:
    """Tell that the process lives, asking nothing else."""
    return json_response(Liveness("alive"))


@blueprint.get("/metrics")
@describe({200: metrics.CONTENT_TYPE}, scope="admin")
def show_metrics() -> Response:
    """Show the counters, in Prometheus' text format."""
    return Response(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


@blueprint.get("/openapi.json")
@describe({200: JSON}, scope="open")
def describe_api() -> Response:
    """Describe the API for programs: OpenAPI 3.1."""
    return Response(description.document(Admission.of(services().config)), content_type=JSON)


def _serves_tasks(database: Database) -> bool:
    try:
        queries.probe(database)
    except Unavailable:
        return False
    return True


def _word(healthy: bool) -> State:
    return "healthy" if healthy else "unhealthy"
