"""The operations on tasks, called without Flask.

Nearly all requests of such an API are these five, and Flask's routing, contexts and response object
take as much of the processor as a cached read altogether, or a third of a write. Everything else is
Flask's, which calls the same operations where this is switched off; `middleware` treats both alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tasks_api.errors import as_answer
from tasks_api.http.auth import Guard
from tasks_api.http.response import Answer
from tasks_api.http.tokens import Declared
from tasks_api.openapi.operations import scope_of
from tasks_api.tasks import views
from tasks_api.tasks.operations import Tasks

_LIST, _ITEM = "/tasks", "/tasks/"


class _Direct(NamedTuple):
    """An operation, and the scope that the view of the same declares."""

    run: Callable[..., Answer]
    scope: Declared


class DirectRoutes:
    """Answers what is for /tasks and /tasks/<id>, by the methods that they have."""

    def __init__(self, tasks: Tasks) -> None:
        self._on_list = {
            "GET": _Direct(tasks.list, scope_of(views.list_tasks)),
            "POST": _Direct(tasks.create, scope_of(views.create_task)),
        }
        self._on_item = {
            "GET": _Direct(tasks.show, scope_of(views.get_task)),
            "PUT": _Direct(tasks.update, scope_of(views.update_task)),
            "DELETE": _Direct(tasks.delete, scope_of(views.delete_task)),
        }

    def answer(self, environ: dict[str, Any], guard: Guard | None) -> tuple[Answer, str] | None:
        """The answer and its route, or None if it is Flask's to give."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        arguments: tuple[str, ...] = ()
        if path == _LIST:
            route, found = "/tasks", self._on_list.get(method)
        elif path.startswith(_ITEM) and (text := path[len(_ITEM) :]).isdecimal():
            route, found, arguments = "/tasks/<id>", self._on_item.get(method), (text,)
        else:
            return None
        if found is None:
            return None
        try:
            if guard:
                guard.check(environ, found.scope)
            return found.run(environ, *arguments), route
        except Exception as error:
            return as_answer(error), route
