"""Cross-origin requests: which web pages' scripts may use the API (Fetch standard, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks_api.http.messages import Response

_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, If-None-Match,"
    " Idempotency-Key, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "ETag, Location, Retry-After, X-Request-ID, Idempotency-Replayed"


class Cors:
    """The rules for `origins`, such as ``https://app.example.com``; ``*`` is every origin."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    def preflight(self, environ: Mapping[str, Any]) -> Response | None:
        """The response to a browser that asks beforehand, or None if it is no such request."""
        if (
            environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
            and self._allowed(environ)
        ):
            return Response(204, b"", dict(_ALLOWED))
        return None

    def mark(self, environ: Mapping[str, Any], response: Response) -> None:
        """Tell the browser whether the page may read `response`."""
        response.add_vary("Origin")
        if origin := self._allowed(environ):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED

    def _allowed(self, environ: Mapping[str, Any]) -> str | None:
        origin: str | None = environ.get("HTTP_ORIGIN")
        if origin is None or "*" in self._origins:
            return origin and "*"
        return origin if origin in self._origins else None
