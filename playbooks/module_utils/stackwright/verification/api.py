"""A client of the tasks API: no proxy, no redirect, every wait bounded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from ..system import Deadline
from .promise import BrokenPromiseError
from .transport import Transport

_SECONDS_PER_REQUEST = 10.0
_SHOWN_CHARACTERS = 200


class UnreachableError(Exception):
    """No HTTP answer came."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. ``body`` is the decoded JSON object, empty if it was none; names of headers are in lower case."""

    request: str
    status: int
    body: dict[str, Any]
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = " ".join(self.text[: _SHOWN_CHARACTERS + 1].split())
        dots = "…" if len(self.text) > _SHOWN_CHARACTERS else ""
        return f"{self.status} {shown[:_SHOWN_CHARACTERS]}{dots}"


class Api:
    """The API at ``base_url``, within ``deadline``. ``token`` is sent with each request; without one, none is."""

    def __init__(
        self,
        base_url: str,
        deadline: Deadline,
        transport: Transport | None = None,
        token: str = "",
    ) -> None:
        self._headers = {"Accept": "application/json", "Connection": "close"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._url = urlsplit(base_url)
        self._transport = transport or Transport()
        self.deadline = deadline

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The server's, once it was asked over TLS, as ``ssl.SSLSocket.getpeercert`` has it; else empty."""
        return self._transport.certificate

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request. Raises UnreachableError."""
        seconds = self.deadline.bound(_SECONDS_PER_REQUEST)
        request = f"{method} {path}"
        connection = self._transport.connection(self._url, seconds)
        sent = {**self._headers, **(headers or {})}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, self._url.path.rstrip("/") + path, payload, sent)
            response = connection.getresponse()
            text = self._read(response)
        except (OSError, HTTPException) as error:
            raise UnreachableError(f"{request}: {_reason(error)}") from None
        finally:
            connection.close()
        received = {name.lower(): value for name, value in response.headers.items()}
        return Answer(request, response.status, _object(text), text, received)

    def must(
        self,
        method: str,
        path: str,
        status: int | tuple[int, ...],
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request that has to be answered with ``status``, or one of them. Raises BrokenPromiseError."""
        wanted = status if isinstance(status, tuple) else (status,)
        expected = f"{method} {path} answers {' or '.join(map(str, wanted))}"
        try:
            answer = self.ask(method, path, body, headers)
        except UnreachableError as error:
            raise BrokenPromiseError(expected, str(error)) from None
        if answer.status not in wanted:
            raise BrokenPromiseError(expected, str(answer))
        return answer

    def _read(self, response: HTTPResponse) -> str:
        """Read a body piece by piece: a socket's timeout alone lets a slow server go on forever."""
        pieces = []
        while piece := response.read1(65536):
            pieces.append(piece)
            self.deadline.bound(1)
        return b"".join(pieces).decode("utf-8", "replace")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
