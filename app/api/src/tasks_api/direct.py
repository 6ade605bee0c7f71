"""The operations on tasks, called without Flask.

Nearly all requests of such an API are these five, and Flask's routing, contexts and response object
take as much of the processor as a cached read altogether, or a third of a write. Everything else is
Flask's, which calls the same operations where this is switched off; `front` treats both alike.
"""

from __future__ import annotations

from typing import Any

from tasks_api.answer import Answer
from tasks_api.errors import as_answer
from tasks_api.resource import Tasks

_LIST, _ITEM = "/tasks", "/tasks/"


class DirectRoutes:
    """Answers what is for /tasks and /tasks/<id>, by the methods that they have."""

    def __init__(self, tasks: Tasks) -> None:
        self._on_list = {"GET": tasks.list, "POST": tasks.create}
        self._on_item = {"GET": tasks.show, "PUT": tasks.update, "DELETE": tasks.delete}

    def answer(self, environ: dict[str, Any]) -> tuple[Answer, str] | None:
        """The answer and its route, or None if it is Flask's to give."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        try:
            if path == _LIST and method in self._on_list:
                return self._on_list[method](environ), "/tasks"
            if path.startswith(_ITEM) and method in self._on_item:
                text = path[len(_ITEM) :]
                if text.isdecimal():
                    return self._on_item[method](environ, text), "/tasks/<id>"
        except Exception as error:
            return as_answer(error), "/tasks" if path == _LIST else "/tasks/<id>"
        return None
