"""A client of the tasks API, plain or over TLS to an address of our choice: no proxy, no redirect, no endless wait."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..system import Deadline
from .report import CheckFailed

_SECONDS_PER_REQUEST = 10.0
_SHOWN_CHARACTERS = 200


class UnreachableError(Exception):
    """No HTTP answer came."""


@dataclass(frozen=True)
class Response:
    """An HTTP response. ``body`` is the decoded JSON object, empty if it was none; headers have lower-case names."""

    request: str
    status: int
    body: dict[str, Any]
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = " ".join(self.text[: _SHOWN_CHARACTERS + 1].split())
        dots = "…" if len(self.text) > _SHOWN_CHARACTERS else ""
        return f"{self.status} {shown[:_SHOWN_CHARACTERS]}{dots}"


class Transport:
    """How the API is reached.

    Args:
        address: what to connect to instead of looking up the URL's host; empty: look it up.
        authorities: gives certificates (PEM) to trust besides this machine's. Asked until it gives some.
        private: whether ``authorities`` is to be asked at all.
    """

    def __init__(
        self, address: str = "", authorities: Callable[[], str] = str, private: bool = False
    ) -> None:
        self._address = address
        self._authorities = authorities
        self._private = private
        self._context: ssl.SSLContext | None = None
        self.certificate: Mapping[str, Any] = {}

    def connection(self, url: SplitResult, seconds: float) -> HTTPConnection:
        """A connection, not yet made: that happens with the first request."""
        host, port = url.hostname or "", url.port
        if url.scheme != "https":
            return _Plain(host, port, timeout=seconds)
        return _Secured(self, host, port, seconds)

    def connect(self, host: str, port: int, seconds: float | None) -> ssl.SSLSocket:
        """A socket that speaks TLS with a server that is ``host``. Raises OSError."""
        if self._context is None:
            self._context = self._trusting()
        plain = socket.create_connection((self._address or host, port), seconds)
        try:
            secured = self._context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        self.certificate = secured.getpeercert() or {}
        return secured

    def _trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._private:
            # A certificate that its owner gave to be trusted is trusted as it is, without the one that issued it.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            try:
                context.load_verify_locations(cadata=self._authorities())
            except (ssl.SSLError, ValueError):
                raise OSError("the edge's authority cannot be read yet") from None
        return context


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

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request; a ``body`` is JSON unless it is bytes. Raises UnreachableError."""
        seconds = self.deadline.bound(_SECONDS_PER_REQUEST)
        request = f"{method} {path}"
        connection = self._transport.connection(self._url, seconds)
        sent = {**self._headers, **(headers or {})}
        payload = None
        if isinstance(body, bytes):
            payload = body
        elif body is not None:
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
        return Response(request, response.status, _object(text), text, received)

    def expect(
        self,
        method: str,
        path: str,
        status: int | tuple[int, ...],
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request that has to be answered with ``status``, or one of them. Raises CheckFailed."""
        wanted = status if isinstance(status, tuple) else (status,)
        expected = f"{method} {path} answers {' or '.join(map(str, wanted))}"
        try:
            response = self.request(method, path, body, headers)
        except UnreachableError as error:
            raise CheckFailed(expected, str(error)) from None
        if response.status not in wanted:
            raise CheckFailed(expected, str(response))
        return response

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


class _Plain(HTTPConnection):
    def connect(self) -> None:
        """As ever, but localhost is this machine also without /etc/hosts, as in a bare chroot (RFC 6761, 6.3)."""
        try:
            super().connect()
        except socket.gaierror:
            if self.host != "localhost":
                raise
            self.sock = socket.create_connection(("127.0.0.1", self.port), self.timeout)


class _Secured(HTTPSConnection):
    def __init__(self, transport: Transport, host: str, port: int | None, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._transport = transport
        self._seconds = seconds

    def connect(self) -> None:
        self.sock = self._transport.connect(self.host, self.port, self._seconds)
