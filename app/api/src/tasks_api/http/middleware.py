"""The layer ahead of Flask: what every answer has, whoever gave it.

Clients, tokens, request ids, conditional requests, compression, CORS, metrics and the request log
are here once, so what is answered directly differs in none of them from what Flask answers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import MethodNotAllowed

from tasks_api.config import Config
from tasks_api.errors import ApiError, as_answer
from tasks_api.http import request_body, request_id, wellformed
from tasks_api.http.auth import Guard
from tasks_api.http.client_address import ClientAddresses
from tasks_api.http.compression import Compression
from tasks_api.http.conditional import matches, unchanged
from tasks_api.http.cors import Cors
from tasks_api.http.fast_path import DirectRoutes
from tasks_api.http.rate_limit import ClientRate
from tasks_api.http.response import Answer
from tasks_api.http.tokens import Declared
from tasks_api.openapi.operations import scope_of
from tasks_api.ops import logs, metrics
from tasks_api.tasks.queries import VersionMismatch

Environ = dict[str, Any]

_KEPT_WHEN_UNCHANGED = ("ETag", "Vary")
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}
_REFUSALS = (401, 403)
_NO_ROUTE = "none"


class Front:
    """A WSGI application around Flask's.

    Args:
        flask: answers what is not answered here.
        config: the settings.
        direct: answers what needs no Flask, or None to leave everything to Flask.
    """

    def __init__(self, flask: Flask, config: Config, direct: DirectRoutes | None) -> None:
        self._flask = flask
        self._direct = direct
        self._most_bytes = config.max_body_bytes
        self._guard = Guard(config.tokens, config.public_reads) if config.tokens else None
        self._cors = Cors(config.cors_origins)
        self._compression = Compression()
        self._clients = ClientAddresses(config.trusted_proxies)
        # Where the processes of this container meet already.
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
        self._rate = ClientRate(config.client_rate, config.client_burst, folder)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        answer = self.respond(environ)
        start_response(answer.status_line, list(answer.headers.items()))
        return [answer.body]

    def respond(self, environ: Environ) -> Answer:
        """Answer one request."""
        started = time.perf_counter()
        identity = request_id.begin(environ.get("HTTP_X_REQUEST_ID"))
        client = self._clients.begin(environ)
        method = environ["REQUEST_METHOD"]
        if method == "HEAD":  # is GET, but for the body
            environ["REQUEST_METHOD"] = "GET"
        answer, route = self._answer(environ, client)
        if environ["REQUEST_METHOD"] == "GET" and answer.status == 200 and "ETag" in answer.headers:
            answer = _if_wanted(environ, answer)
        self._finish(environ, answer)
        headers = answer.headers
        headers["X-Request-ID"] = identity
        if answer.status not in (204, 304):
            headers["Content-Length"] = str(len(answer.body))
        seconds = time.perf_counter() - started
        counted = method if method in _METHODS else "other"
        metrics.count_request(counted, route, answer.status, seconds)
        logs.log_request(method, environ["PATH_INFO"], answer.status, seconds)
        if method == "HEAD":
            answer.body = b""
        return answer

    def _answer(self, environ: Environ, client: str) -> tuple[Answer, str]:
        """The answer, and the route that is counted."""
        try:
            comes = request_body.announce(environ)
            wellformed.require(environ)
            if comes:
                request_body.receive(environ, self._most_bytes, client)
            self._rate.check(client)
        except ApiError as error:
            return as_answer(error), _NO_ROUTE
        if preflight := self._cors.preflight(environ):
            return preflight, "preflight"
        found = self._direct.answer(environ, self._guard) if self._direct else None
        return found or self._ask_flask(environ)

    def _ask_flask(self, environ: Environ) -> tuple[Answer, str]:
        """What `Flask.wsgi_app` does, without writing the answer out and reading it again."""
        with self._flask.request_context(environ):
            rule = request.url_rule
            route = rule.rule if rule else _NO_ROUTE
            if self._guard:
                try:
                    self._guard.check(environ, self._declared())
                except ApiError as error:
                    return as_answer(error), route
            try:
                response = self._flask.full_dispatch_request()
            except Exception as error:
                response = self._flask.handle_exception(error)
            answer = Answer(response.status_code, response.get_data(), dict(response.headers))
        if not answer.body:
            answer.headers.pop("Content-Type", None)
        return answer, route

    def _declared(self) -> Declared | None:
        """What the route of the current request declares, if there is one.

        That a path which is open for other methods has not this one is no secret either.
        """
        rule, error = request.url_rule, request.routing_exception
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            adapter = self._flask.url_map.bind_to_environ(request.environ)
            other, _ = adapter.match(method=next(iter(error.valid_methods)), return_rule=True)
            found = scope_of(self._flask.view_functions[other.endpoint])
            return found if found == "open" else None
        return scope_of(self._flask.view_functions[rule.endpoint]) if rule else None

    def _finish(self, environ: Environ, answer: Answer) -> None:
        self._compression.apply(environ, answer)
        if "HTTP_AUTHORIZATION" in environ or answer.status in _REFUSALS:
            # Only its client may keep it, and asks each time whether it still holds.
            answer.headers["Cache-Control"] = "private, no-cache"
        self._cors.mark(environ, answer)


def _if_wanted(environ: Environ, answer: Answer) -> Answer:
    """The answer to a read, or another if that is not the version that the client wants."""
    tag = answer.headers["ETag"]
    if_match = environ.get("HTTP_IF_MATCH")
    if if_match is not None and not matches(tag, if_match):
        return as_answer(VersionMismatch())
    if_none_match = environ.get("HTTP_IF_NONE_MATCH")
    if if_none_match and unchanged(tag, if_none_match):
        kept = {k: v for k, v in answer.headers.items() if k in _KEPT_WHEN_UNCHANGED}
        return Answer(304, b"", kept)
    return answer
