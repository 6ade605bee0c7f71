"""The application factory."""

from __future__ import annotations

from flask import Flask, request

from tasks_api import body, cache_admin, errors, health, logs, services, tasks
from tasks_api.config import Config
from tasks_api.front import ROUTE, Front
from tasks_api.hits import CachedReads


def create_app(config: Config | None = None) -> Flask:
    """Build the WSGI application; neither PostgreSQL nor Redis needs to answer yet.

    Args:
        config: the settings, by default those of the process environment.

    Raises:
        tasks_api.config.ConfigError: the environment is incomplete or wrong.
    """
    config = config or Config.from_environment()
    logs.set_up(config.log_level, config.log_format)
    app = Flask(__name__, static_folder=None)
    # One more than allowed: see `receive`.
    app.config["MAX_CONTENT_LENGTH"] = config.max_body_bytes + 1
    # `/tasks//1` is an unknown path; by default it would be redirected with a page of HTML.
    app.url_map.merge_slashes = False
    cache = services.attach(app, config).cache
    errors.register(app)
    app.before_request(_note_route)
    app.before_request(body.receive)
    for module in (health, tasks, cache_admin):
        app.register_blueprint(module.blueprint)
    reads = CachedReads(cache) if config.cached_reads_first else None
    app.wsgi_app = Front(app.wsgi_app, config, reads)  # type: ignore[method-assign]
    return app


def _note_route() -> None:
    if request.url_rule:
        request.environ[ROUTE] = request.url_rule.rule
