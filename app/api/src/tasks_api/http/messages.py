"""Requests and responses, as they are passed on between the layers (RFC 9110, section 6: messages)."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from tasks_api.app import Services

Environ = dict[str, Any]
JSON = "application/json"

_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_prefix, _numbers = secrets.token_hex(6), itertools.count(1)


class Request:
    """A request and what serves it.

    Its `id` stands in its response and its log lines: the client's own X-Request-ID, or a new one.
    """

    __slots__ = ("client", "environ", "id", "services")

    def __init__(self, environ: Environ, services: Services) -> None:
        self.environ = environ
        self.services = services
        given: str = environ.get("HTTP_X_REQUEST_ID") or ""
        own = _ACCEPTABLE_ID.fullmatch(given)
        self.id = given if own else f"{_prefix}-{next(_numbers):x}"
        self.client = ""
        """The client's address, empty if there is none."""


current: ContextVar[Request] = ContextVar("request")
"""The request that the thread works on; views find it here, with Flask's context and without."""


@dataclass(slots=True)
class Response:
    """Status, body and headers, complete in memory: the largest is a list of tasks."""

    status: int
    body: bytes
    headers: dict[str, str]
    content: Content | None = None
    """What the body was taken from, if that is kept."""

    @classmethod
    def of(
        cls, shown: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """The response that shows `shown` as JSON."""
        return cls(status, encode(shown), {"Content-Type": JSON, **(headers or {})})

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Send it, as PEP 3333 has it: a response is a WSGI application, so Flask's views may return it."""
        line = _LINES.get(self.status) or f"{self.status} Unknown"
        start_response(line, list(self.headers.items()))
        return [self.body]

    def add_vary(self, header: str) -> None:
        """Tell caches that the response depends on a request header."""
        vary = self.headers.get("Vary")
        self.headers["Vary"] = f"{vary}, {header}" if vary else header


class Content:
    """JSON with its ETag, to be shown by many responses, and its gzip once somebody took that."""

    __slots__ = ("body", "gzipped", "tag")

    def __init__(self, shown: msgspec.Struct, tag: str) -> None:
        self.body = encode(shown)
        self.tag = tag
        self.gzipped: bytes | None = None

    def response(self, status: int = 200) -> Response:
        """A response that shows it."""
        return Response(status, self.body, {"Content-Type": JSON, "ETag": self.tag}, self)


def encode(shown: msgspec.Struct) -> bytes:
    """`shown` as compact JSON in UTF-8, with a newline for the sake of terminals."""
    return msgspec.json.encode(shown) + b"\n"
