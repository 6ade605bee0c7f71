"""What the service is, whether it lives, and whether it can work."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from tasks_api import __version__, models
from tasks_api.database import Database
from tasks_api.errors import RETRY_AFTER_SECONDS, Unavailable
from tasks_api.responses import json_object
from tasks_api.services import services

blueprint = Blueprint("health", __name__)


# Not strict: a request line without a path, as in `GET http://host`, is one for the root.
@blueprint.get("/", strict_slashes=False)
def index() -> Response:
    """Describe the API."""
    return json_object(
        name="Tasks API",
        version=__version__,
        environment=services().config.environment,
        endpoints=_endpoints(),
    )


@blueprint.get("/health")
def health() -> Response:
    """Tell the state of API, cache and database; 503 if tasks cannot be served."""
    _, database, cache = services()
    serves = _serves_tasks(database)
    response = json_object(
        200 if serves else 503,
        api="healthy",
        cache=_word(cache.is_healthy()),
        database=_word(serves),
    )
    if not serves:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


@blueprint.get("/livez")
def livez() -> Response:
    """Tell that the process lives, asking nothing else."""
    return json_object(status="alive")


def _serves_tasks(database: Database) -> bool:
    try:
        models.probe(database)
    except Unavailable:
        return False
    return True


def _word(healthy: bool) -> str:
    return "healthy" if healthy else "unhealthy"


def _endpoints() -> dict[str, str]:
    """Method and path of every view, with the first line of its docstring."""
    return {
        f"{method} {rule.rule.replace('<', ':').replace('>', '')}": _summary(rule.endpoint)
        for rule in current_app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    }


def _summary(endpoint: str) -> str:
    return (current_app.view_functions[endpoint].__doc__ or "").partition("\n")[0]
