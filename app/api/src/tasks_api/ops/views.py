"""What the service is, whether it lives and can work, and a look into its cache."""

from __future__ import annotations

from flask import Blueprint

from tasks_api import __version__
from tasks_api.db.database import Database
from tasks_api.errors import RETRY_LATER, Unavailable
from tasks_api.http.messages import JSON, Response, current
from tasks_api.openapi import description
from tasks_api.openapi.operations import describe, endpoints
from tasks_api.openapi.schemas import (
    CacheStatistics,
    DegradedHealth,
    Health,
    Index,
    Liveness,
    Message,
    State,
)
from tasks_api.ops import metrics
from tasks_api.tasks import queries

service = Blueprint("health", __name__)
cache_admin = Blueprint("cache", __name__, url_prefix="/cache")
BLUEPRINTS = (service, cache_admin)

_CACHE_DOWN = Unavailable("cache")


# Not strict: a request line without a path, as in `GET http://host`, is one for the root.
@service.get("/", strict_slashes=False)
@describe({200: Index}, scope="open")
def index() -> Response:
    """Describe the API."""
    environment = current.get().services.config.environment
    return Response.of(Index("Tasks API", __version__, environment, endpoints()))


@service.get("/health")
@describe(
    {200: (Health, DegradedHealth), 503: Health},
    scope="open",
    shows={503: {"database": "unhealthy"}},
)
def health() -> Response:
    """Tell the state of API, cache and database; 503 if tasks cannot be served."""
    services = current.get().services
    refused = services.cache.refused()
    cache = _state(refused == [])
    if not _serves_tasks(services.database):
        return Response.of(Health("healthy", cache, "unhealthy"), 503, RETRY_LATER)
    if refused:
        said = f"refused: {', '.join(refused)}"
        return Response.of(DegradedHealth("degraded", "healthy", said, "healthy"))
    return Response.of(Health("healthy", cache, "healthy"))


@service.get("/livez")
@describe({200: Liveness}, scope="open")
def livez() -> Response:
    """Tell that the process lives, asking nothing else."""
    return Response.of(Liveness("alive"))


@service.get("/metrics")
@describe({200: metrics.CONTENT_TYPE}, scope="admin")
def show_metrics() -> Response:
    """Show the counters, in Prometheus' text format."""
    return Response(200, metrics.exposition(), {"Content-Type": metrics.CONTENT_TYPE})


@service.get("/openapi.json")
@describe({200: JSON}, scope="open")
def describe_api() -> Response:
    """Describe the API for programs: OpenAPI 3.1."""
    admission = description.Admission.of(current.get().services.config)
    return Response(200, description.document(admission), {"Content-Type": JSON})


@cache_admin.get("/stats")
@describe({200: CacheStatistics}, scope="admin", errors=[_CACHE_DOWN])
def statistics() -> Response:
    """Show the counters of Redis."""
    return Response.of(current.get().services.cache.statistics())


@cache_admin.post("/clear")
@describe({200: Message}, scope="admin", errors=[_CACHE_DOWN])
def clear() -> Response:
    """Empty the cache."""
    current.get().services.cache.clear()
    return Response.of(Message("Cache cleared successfully"))


def _serves_tasks(database: Database) -> bool:
    try:
        queries.probe(database)
    except Unavailable:
        return False
    return True


def _state(healthy: bool) -> State:
    return "healthy" if healthy else "unhealthy"
