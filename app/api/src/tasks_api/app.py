"""The application factory."""

from __future__ import annotations

from flask import Flask

from tasks_api import errors, services
from tasks_api.config import Config
from tasks_api.http.fast_path import DirectRoutes
from tasks_api.http.middleware import Front
from tasks_api.ops import cache_admin, health, logs
from tasks_api.tasks import views


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
    attached = services.attach(app, config)
    errors.register(app)
    for module in (health, views, cache_admin):
        app.register_blueprint(module.blueprint)
    direct = DirectRoutes(attached.tasks) if config.ahead_of_flask else None
    app.wsgi_app = Front(app, config, direct)  # type: ignore[method-assign]
    return app
