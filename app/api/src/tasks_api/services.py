"""What the views work with: one database and one cache per application, and what is done with both."""

from __future__ import annotations

from typing import NamedTuple, cast

from flask import Flask, current_app

from tasks_api.cache.cache import TaskCache
from tasks_api.config import Config
from tasks_api.db.database import Database
from tasks_api.tasks.operations import Tasks
from tasks_api.tasks.rows import Rows

_KEY = "tasks_api"


class Services(NamedTuple):
    """The services behind the API, and its settings."""

    config: Config
    database: Database
    cache: TaskCache
    tasks: Tasks


def attach(app: Flask, config: Config) -> Services:
    """Give `app` its services. Nothing has to answer yet."""
    database = Database(config)
    cache = TaskCache(config, database)
    rows = Rows(max(config.db_pool_size // 2, 1), config.db_pool_wait_seconds)
    tasks = Tasks(database, cache, rows)
    made = app.extensions[_KEY] = Services(config, database, cache, tasks)
    return made


def services() -> Services:
    """The services of the application that handles the current request."""
    return cast(Services, current_app.extensions[_KEY])
