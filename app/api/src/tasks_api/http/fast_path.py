"""Views called without Flask, which finds them: one router, its `url_map`.

Nearly all requests of such an API are a few operations, and Flask's contexts, hooks and response
object take as much of the processor as a cached read altogether. So a view that needs none of them
says so in its description (`needs_flask=False`) and is called as it is. Everything else, errors of
routing included, is Flask's to answer; `middleware` treats both alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.exceptions import HTTPException

from tasks_api.errors import as_response
from tasks_api.http.auth import Declared, Guard
from tasks_api.http.messages import Environ, Response
from tasks_api.openapi.operations import operation_of

# Matching takes longer than all else here. Paths are the client's, so they are few and bounded.
_REMEMBERED = 512


class Match(NamedTuple):
    """The view for a request, its arguments, its route, and the scope that it declares."""

    view: Callable[..., Response]
    arguments: dict[str, Any]
    route: str
    scope: Declared


class FastPath:
    """Answers what `app` has a view for that needs no Flask."""

    def __init__(self, app: Flask) -> None:
        self._views = app.view_functions
        self._adapter = app.url_map.bind("localhost")
        self._find = lru_cache(_REMEMBERED)(self._match)

    def respond(self, environ: Environ, guard: Guard | None) -> tuple[Response, str] | None:
        """The response and its route, or None if it is Flask's to give."""
        found = self._find(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if found is None:
            return None
        try:
            if guard:
                guard.check(environ, found.scope)
            return found.view(**found.arguments), found.route
        except Exception as error:
            return as_response(error), found.route

    def _match(self, method: str, path: str) -> Match | None:
        if method == "OPTIONS" or not path.isascii():  # WSGI's text is bytes, which Flask decodes
            return None
        try:
            rule, arguments = self._adapter.match(path, method, return_rule=True)
        except HTTPException:
            return None
        view: Any = self._views[rule.endpoint]
        operation = operation_of(view)
        if operation is None or operation.needs_flask:
            return None
        return Match(view, dict(arguments), rule.rule, operation.scope)
