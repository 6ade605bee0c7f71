"""The layer ahead of Flask: cached reads, and what every answer has, whoever gave it.

Request ids, conditional requests, compression, CORS, metrics and the request log are here once, so
a cached read cannot differ in any of them from what Flask answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from tasks_api import incoming, logs, metrics, request_id
from tasks_api.answer import Answer
from tasks_api.answers import JSON, Error, Problem, encode
from tasks_api.compression import Compression
from tasks_api.config import Config
from tasks_api.cors import Cors
from tasks_api.errors import RETRY_AFTER_SECONDS
from tasks_api.hits import CachedReads
from tasks_api.turns import NoRoom
from tasks_api.versions import unchanged

Environ = dict[str, Any]
Application = Callable[..., Iterable[bytes]]

ROUTE = "tasks_api.route"
"""Where the WSGI environment holds the rule that Flask found for the path."""

_KEPT_WHEN_UNCHANGED = ("ETag", "Vary")
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}


class Front:
    """A WSGI application around Flask's.

    Args:
        flask: Flask's own WSGI application.
        config: the settings.
        reads: answers what the cache can answer, or None to leave everything to Flask.
    """

    def __init__(self, flask: Application, config: Config, reads: CachedReads | None) -> None:
        self._flask = flask
        self._reads = reads
        self._most_bytes = config.max_body_bytes
        self._cors = Cors(config.cors_origins)
        self._compression = Compression()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        started = time.perf_counter()
        identity = request_id.begin(environ.get("HTTP_X_REQUEST_ID"))
        method = environ["REQUEST_METHOD"]
        if method == "HEAD":  # is GET, but for the body
            environ["REQUEST_METHOD"] = "GET"
        answer, route = self._answer(environ)
        self._finish(environ, answer)
        headers = answer.headers
        headers["X-Request-ID"] = identity
        if answer.status not in (204, 304):
            headers["Content-Length"] = str(len(answer.body))
        seconds = time.perf_counter() - started
        metrics.count_request(
            method if method in _METHODS else "other", route, answer.status, seconds
        )
        logs.log_request(method, environ["PATH_INFO"], answer.status, seconds)
        start_response(answer.status_line, list(headers.items()))
        return [b"" if method == "HEAD" else answer.body]

    def _answer(self, environ: Environ) -> tuple[Answer, str]:
        """The answer, and the route that is counted."""
        try:
            incoming.receive(environ, self._most_bytes)
        except NoRoom:
            return _busy(), "none"
        if preflight := self._cors.preflight(environ):
            return preflight, "preflight"
        found = self._reads.answer(environ) if self._reads else None
        return found or self._ask_flask(environ)

    def _ask_flask(self, environ: Environ) -> tuple[Answer, str]:
        started: list[Any] = []
        chunks = self._flask(environ, lambda *arguments: started.append(arguments))
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close:
                close()
        status, headers = started[-1][:2]
        return Answer(int(status[:3]), body, dict(headers)), environ.get(ROUTE, "none")

    def _finish(self, environ: Environ, answer: Answer) -> None:
        wanted = environ.get("HTTP_IF_NONE_MATCH")
        if wanted and answer.status == 200 and unchanged(answer.headers.get("ETag", ""), wanted):
            kept = {
                name: answer.headers[name]
                for name in _KEPT_WHEN_UNCHANGED
                if name in answer.headers
            }
            answer.status, answer.body, answer.headers = 304, b"", kept
        self._compression.apply(environ, answer)
        self._cors.mark(environ, answer)


def _busy() -> Answer:
    problem = Problem("busy", "Too many requests are waited for at the moment.", {})
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Connection": "close"}
    return Answer(503, encode(Error(problem)), {"Content-Type": JSON, **headers})
