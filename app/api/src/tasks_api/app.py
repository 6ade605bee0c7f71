"""The application factory, and what the views work with."""

from __future__ import annotations

from typing import NamedTuple

from flask import Flask

from tasks_api import errors
from tasks_api.cache.cache import TaskCache
from tasks_api.config import Config
from tasks_api.db.database import Database
from tasks_api.http.middleware import Middleware
from tasks_api.ops import logs
from tasks_api.ops import views as ops_views
from tasks_api.tasks import views as task_views
from tasks_api.tasks.rows import Rows


class Services(NamedTuple):
    """The services behind the API, and its settings; one of each per application."""

    config: Config
    database: Database
    cache: TaskCache
    rows: Rows


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
    # `/tasks//1` is an unknown path; by default it would be redirected with a page of HTML.
    app.url_map.merge_slashes = False
    errors.register(app)
    for blueprint in (*ops_views.BLUEPRINTS, task_views.blueprint):
        app.register_blueprint(blueprint)
    database = Database(config)
    cache = TaskCache(config, database)
    rows = Rows(max(config.db_pool_size // 2, 1), config.db_pool_wait_seconds)
    services = app.extensions["tasks_api"] = Services(config, database, cache, rows)
    app.wsgi_app = Middleware(app, config, services)  # type: ignore[method-assign]
    return app
