"""The layer around Flask: what every response has, whoever gave it.

Clients, tokens, request ids, conditional requests, compression, CORS, metrics and the request log
are here once, so what the fast path answers differs in none of them from what Flask answers.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask import request as flask_request
from werkzeug.exceptions import MethodNotAllowed

from tasks_api.config import Config
from tasks_api.errors import ApiError, as_response
from tasks_api.http import compression
from tasks_api.http.auth import Declared, Guard
from tasks_api.http.client_address import ClientAddresses
from tasks_api.http.conditional import matches, unchanged
from tasks_api.http.cors import Cors
from tasks_api.http.fast_path import FastPath
from tasks_api.http.messages import Environ, Request, Response, current
from tasks_api.http.rate_limit import ClientRate
from tasks_api.http.request_body import BODY, UNREAD, receive
from tasks_api.openapi.operations import scope_of
from tasks_api.ops import logs, metrics
from tasks_api.tasks.queries import VersionMismatch

if TYPE_CHECKING:
    from tasks_api.app import Services

_KEPT_WHEN_UNCHANGED = ("ETag", "Vary")
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}
_REFUSALS = (401, 403)
_NO_ROUTE = "none"
# RFC 3986, 3.2.2: a name or an address, and a port. A name may hold commas there, but none in the
# world does, while two headers look like that.
_HOST = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+;=-]++|%[0-9A-Fa-f]{2})++(?::[0-9]{0,5})?"
    r"|\[[0-9A-Fa-f:.]+\](?::[0-9]{0,5})?"
)
_WITHOUT_HOST = frozenset({"HTTP/1", "HTTP/1.0"})


class Middleware:
    """A WSGI application around Flask's.

    Args:
        app: has the views, and answers what the fast path does not.
        config: the settings.
        services: what the views work with.
    """

    def __init__(self, app: Flask, config: Config, services: Services) -> None:
        self._flask = app
        self._fast = FastPath(app) if config.fast_path else None
        self._services = services
        self._most_bytes = config.max_body_bytes
        self._guard = Guard(config.tokens, config.public_reads) if config.tokens else None
        self._cors = Cors(config.cors_origins) if config.cors_origins else None
        self._clients = ClientAddresses(config.trusted_proxies)
        # Where the processes of this container meet already.
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
        rate, burst = config.client_rate, config.client_burst
        self._rate = ClientRate(rate, burst, folder) if rate else None

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        return self.respond(environ)(environ, start_response)

    def respond(self, environ: Environ) -> Response:
        """Answer one request."""
        token = current.set(Request(environ, self._services))
        try:
            return self._respond(current.get())
        finally:
            # What the server needs for the next request on the connection is held by `environ`.
            current.reset(token)

    def _respond(self, request: Request) -> Response:
        started = time.perf_counter()
        environ = request.environ
        request.client = self._clients.of(environ)
        method = environ["REQUEST_METHOD"]
        if method == "HEAD":  # is GET, but for the body
            environ["REQUEST_METHOD"] = "GET"
        response, route = self._dispatch(request)
        headers = response.headers
        if environ["REQUEST_METHOD"] == "GET" and response.status == 200 and "ETag" in headers:
            response = _if_wanted(environ, response)
        self._finish(environ, response)
        headers = response.headers
        headers["X-Request-ID"] = request.id
        if response.status not in (204, 304):
            headers["Content-Length"] = str(len(response.body))
        seconds = time.perf_counter() - started
        counted = method if method in _METHODS else "other"
        metrics.count_request(counted, route, response.status, seconds)
        logs.log_request(method, environ["PATH_INFO"], response.status, seconds)
        if method == "HEAD":
            response.body = b""
        return response

    def _dispatch(self, request: Request) -> tuple[Response, str]:
        """The response, and the route that is counted."""
        environ = request.environ
        try:
            comes = _expect_body(environ)
            _require_wellformed(environ)
            if comes:
                receive(environ, self._most_bytes, request.client)
            if self._rate:
                self._rate.check(request.client)
        except ApiError as error:
            return as_response(error), _NO_ROUTE
        if self._cors and (preflight := self._cors.preflight(environ)):
            return preflight, "preflight"
        found = self._fast.respond(environ, self._guard) if self._fast else None
        return found or self._ask_flask(environ)

    def _ask_flask(self, environ: Environ) -> tuple[Response, str]:
        """What `Flask.wsgi_app` does, without writing the response out and reading it again."""
        with self._flask.request_context(environ):
            rule = flask_request.url_rule
            route = rule.rule if rule else _NO_ROUTE
            if self._guard:
                try:
                    self._guard.check(environ, self._declared())
                except ApiError as error:
                    return as_response(error), route
            try:
                given = self._flask.full_dispatch_request()
            except Exception as error:
                given = self._flask.handle_exception(error)
            response = Response(given.status_code, given.get_data(), dict(given.headers))
        if not response.body:
            response.headers.pop("Content-Type", None)
        return response, route

    def _declared(self) -> Declared | None:
        """What the route of the current request declares, if there is one.

        It is no secret either that a path which is open for other methods does not take this one.
        """
        rule, error = flask_request.url_rule, flask_request.routing_exception
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            adapter = self._flask.url_map.bind_to_environ(flask_request.environ)
            other, _ = adapter.match(method=next(iter(error.valid_methods)), return_rule=True)
            found = scope_of(self._flask.view_functions[other.endpoint])
            return found if found == "open" else None
        return scope_of(self._flask.view_functions[rule.endpoint]) if rule else None

    def _finish(self, environ: Environ, response: Response) -> None:
        if len(response.body) >= compression.SMALLEST:
            compression.apply(environ, response)
        if "HTTP_AUTHORIZATION" in environ or response.status in _REFUSALS:
            # Only its client may keep it, and asks each time whether it still holds.
            response.headers["Cache-Control"] = "private, no-cache"
        if self._cors:
            self._cors.mark(environ, response)


class BadHost(ApiError):
    """400: no header Host, several, or none that could be one."""

    status, code = 400, "bad_host"
    message = "The request must have one Host header, which is valid."


class UnknownMethod(ApiError):
    """501: no method that anything here could have. Methods are told apart by case."""

    status, code, message = 501, "unknown_method", "There is no such method here."


class UnknownCoding(ApiError):
    """501: the body is coded for transfer in a way that is not undone here."""

    status, code = 501, "unknown_transfer_coding"
    message = "There is no such Transfer-Encoding here."


def _require_wellformed(environ: Environ) -> None:
    """Return if a request is one of HTTP/1.1, as far as the server does not look (RFC 9110, RFC 9112).

    The server gives headers of one name joined by commas, an absent Host as an empty one, and
    methods and transfer codings as they were sent; Flask takes methods in any case.

    Raises:
        BadHost, UnknownMethod, UnknownCoding.
    """
    host = environ.get("HTTP_HOST", "")
    if not _HOST.fullmatch(host) and (host or environ["SERVER_PROTOCOL"] not in _WITHOUT_HOST):
        raise BadHost
    if not environ["REQUEST_METHOD"].isupper():
        raise UnknownMethod
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise UnknownCoding


def _expect_body(environ: Environ) -> bool:
    """Whether a body comes; until it is read, it is UNREAD."""
    environ[BODY] = b""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.strip("0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return False
    environ[UNREAD] = True
    return True


def _if_wanted(environ: Environ, response: Response) -> Response:
    """The response to a read, or another if that is not the version that the client wants."""
    tag = response.headers["ETag"]
    if_match = environ.get("HTTP_IF_MATCH")
    if if_match is not None and not matches(tag, if_match):
        return as_response(VersionMismatch())
    if_none_match = environ.get("HTTP_IF_NONE_MATCH")
    if if_none_match and unchanged(tag, if_none_match):
        kept = {k: v for k, v in response.headers.items() if k in _KEPT_WHEN_UNCHANGED}
        return Response(304, b"", kept)
    return response
