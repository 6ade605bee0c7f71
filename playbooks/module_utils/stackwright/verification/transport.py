"""Connections to the API: plain, or TLS to an address of our choice under the name of the URL."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult


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
