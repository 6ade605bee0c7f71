"""The application factory."""

from __future__ import annotations

from flask import Flask

from tasks_api import cache_admin, errors, health, logs, services, tasks
from tasks_api.config import Config
from tasks_api.front import Front
from tasks_api.hits import CachedReads


def create_app(config: Config | None = None) -> Flask:
    """Build the WSGI application; neither PostgreSQL nor Redis needs to answer yet.

    Args:
        config: the settings, by default those of the process environment.

    Raises:
        tasks_api.environ.ConfigError: the environment is incomplete or wrong.
    """
    config = config or Config.from_environment()
    logs.set_up(config.log_level, config.log_format)
    app = Flask(__name__, static_folder=None)
    # `/tasks//1` is an unknown path; by default it would be redirected with a page of HTML.
    app.url_map.merge_slashes = False
    cache = services.attach(app, config).cache
    errors.register(app)
    for module in (health, tasks, cache_admin):
        app.register_blueprint(module.blueprint)
    reads = CachedReads(cache) if config.cached_reads_first else None
    app.wsgi_app = Front(app, config, reads)  # type: ignore[method-assign]
    return app
