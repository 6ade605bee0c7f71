"""The layer ahead of Flask: cached reads, and what every answer has, whoever gave it.

Request ids, conditional requests, compression, CORS, metrics and the request log are here once, so
a cached read cannot differ in any of them from what Flask answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from tasks_api import logs, metrics, request_id
from tasks_api.answer import Answer
from tasks_api.answers import JSON, Error, Problem, encode
from tasks_api.compression import Compression
from tasks_api.config import Config
from tasks_api.cors import Cors
from tasks_api.errors import RETRY_AFTER_SECONDS
from tasks_api.hits import CachedReads
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
        self._cors = Cors(config.cors_origins)
        self._compression = Compression()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        answer = self.respond(environ)
        start_response(answer.status_line, list(answer.headers.items()))
        return [answer.body]

    def respond(self, environ: Environ) -> Answer:
        """Answer one request."""
        return self._complete(environ, self._answer)

    def refuse(self, environ: Environ) -> Answer:
        """Answer one request whose body nobody waits for: too many others are waited for."""
        return self._complete(environ, lambda _: (_too_many_bodies(), "none"))

    def _complete(self, environ: Environ, give: Callable[[Environ], tuple[Answer, str]]) -> Answer:
        started = time.perf_counter()
        identity = request_id.begin(environ.get("HTTP_X_REQUEST_ID"))
        method = environ["REQUEST_METHOD"]
        if method == "HEAD":  # is GET, but for the body
            environ["REQUEST_METHOD"] = "GET"
        answer, route = give(environ)
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
        if method == "HEAD":
            answer.body = b""
        return answer

    def _answer(self, environ: Environ) -> tuple[Answer, str]:
        """The answer, and the route that is counted."""
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
        reads = environ["REQUEST_METHOD"] == "GET"  # what was written is not "not modified"
        wanted = reads and environ.get("HTTP_IF_NONE_MATCH")
        if wanted and answer.status == 200 and unchanged(answer.headers.get("ETag", ""), wanted):
            kept = {
                name: answer.headers[name]
                for name in _KEPT_WHEN_UNCHANGED
                if name in answer.headers
            }
            answer.status, answer.body, answer.headers = 304, b"", kept
        self._compression.apply(environ, answer)
        self._cors.mark(environ, answer)


def _too_many_bodies() -> Answer:
    problem = Problem("too_many_bodies", "Too many requests are being received.", {})
    headers = {
        "Content-Type": JSON,
        "Retry-After": str(RETRY_AFTER_SECONDS),
        "Connection": "close",  # what was not read cannot be followed by another request
    }
    return Answer(503, encode(Error(problem)), headers)
