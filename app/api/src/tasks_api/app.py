"""The application factory."""

from __future__ import annotations

from flask import Flask

from tasks_api import body, cache_admin, errors, health, logs, services, tasks
from tasks_api.config import Config


def create_app(config: Config | None = None) -> Flask:
    """Build the WSGI application; it connects to PostgreSQL and Redis only when asked something.

    Args:
        config: the settings, by default those of the process environment.

    Raises:
        tasks_api.config.ConfigError: the environment is incomplete or wrong.
    """
    config = config or Config.from_environment()
    logs.set_up(config.log_level)
    app = Flask(__name__, static_folder=None)
    # One more than allowed: see `receive`.
    app.config["MAX_CONTENT_LENGTH"] = config.max_body_bytes + 1
    # `/tasks//1` is an unknown path; by default it would be redirected with a page of HTML.
    app.url_map.merge_slashes = False
    services.attach(app, config)
    errors.register(app)
    app.before_request(body.receive)
    for module in (health, tasks, cache_admin):
        app.register_blueprint(module.blueprint)
    return app
