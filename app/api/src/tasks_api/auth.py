"""Who may do what: bearer tokens with scopes (RFC 6750).

Several named tokens may be valid at a time, so one can be replaced without an outage: add the new
one, move the clients, remove the old one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from tasks_api.errors import ApiError
from tasks_api.tokens import SCOPES, Token

_OPEN = frozenset({"/", "/health", "/livez", "/openapi.json"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Unauthorized(ApiError):
    """401: no token, or none that is known."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "unauthorized",
            "A valid token is needed: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )


class Forbidden(ApiError):
    """403: the token has not the scope for this."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            403,
            "forbidden",
            f"The token needs the scope {scope}.",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        )


def needed_scope(method: str, path: str, public_reads: bool) -> str | None:
    """The scope that a request needs, if any."""
    if path in _OPEN:  # other methods are none of theirs: 405
        return None
    if path.startswith(("/cache/", "/metrics")):
        return "admin"
    if method not in _READS:
        return "write"
    return None if public_reads else "read"


class Guard:
    """Lets requests pass, or not.

    Args:
        tokens: the valid ones.
        public_reads: whether tasks may be read without a token.
    """

    def __init__(self, tokens: tuple[Token, ...], public_reads: bool) -> None:
        self._tokens = tokens
        self._public_reads = public_reads

    def check(self, environ: Mapping[str, Any]) -> None:
        """Return if the request may be served. Raises Unauthorized, Forbidden."""
        needed = needed_scope(environ["REQUEST_METHOD"], environ["PATH_INFO"], self._public_reads)
        if needed is None:
            return
        kind, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        token = self._find(secret.strip()) if kind.lower() == "bearer" else None
        if token is None:
            raise Unauthorized
        if SCOPES.index(token.scope) < SCOPES.index(needed):
            raise Forbidden(needed)

    def _find(self, secret: str) -> Token | None:
        # WSGI gives bytes as Latin-1 (PEP 3333). All are compared, each in constant time: how long
        # it takes tells nothing of how near a guess was.
        digest = hashlib.sha256(secret.encode("latin-1", "replace")).digest()
        found = [token for token in self._tokens if hmac.compare_digest(token.digest, digest)]
        return found[0] if found else None
