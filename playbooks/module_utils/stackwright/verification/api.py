"""A client of the tasks API: no proxy, no redirect, every wait bounded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from .deadline import Deadline
from .promise import BrokenPromiseError

_SECONDS_PER_REQUEST = 10.0
_SHOWN_CHARACTERS = 200


class UnreachableError(Exception):
    """No HTTP answer came."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. ``body`` is the decoded JSON object, empty if it was none."""

    request: str
    status: int
    body: dict[str, Any]
    text: str

    def __str__(self) -> str:
        shown = " ".join(self.text[: _SHOWN_CHARACTERS + 1].split())
        dots = "…" if len(self.text) > _SHOWN_CHARACTERS else ""
        return f"{self.status} {shown[:_SHOWN_CHARACTERS]}{dots}"


class Api:
    """The API at ``base_url``, within ``deadline``."""

    def __init__(self, base_url: str, deadline: Deadline) -> None:
        self._url = urlsplit(base_url)
        self.deadline = deadline

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send one request. Raises UnreachableError."""
        seconds = self.deadline.bound(_SECONDS_PER_REQUEST)
        request = f"{method} {path}"
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=seconds)
        headers = {"Accept": "application/json", "Connection": "close"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._url.path.rstrip("/") + path, payload, headers)
            response = connection.getresponse()
            text = self._read(response)
        except (OSError, HTTPException) as error:
            raise UnreachableError(f"{request}: {_reason(error)}") from None
        finally:
            connection.close()
        return Answer(request, response.status, _object(text), text)

    def must(self, method: str, path: str, status: int, body: object = None) -> Answer:
        """Send one request that has to be answered with ``status``. Raises BrokenPromiseError."""
        expected = f"{method} {path} answers {status}"
        try:
            answer = self.ask(method, path, body)
        except UnreachableError as error:
            raise BrokenPromiseError(expected, str(error)) from None
        if answer.status != status:
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
