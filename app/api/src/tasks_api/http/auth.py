"""Who may do what: bearer tokens with scopes (RFC 6750).

Several named tokens may be valid at a time, so one can be replaced without an outage: add the new
one, move the clients, remove the old one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from tasks_api.errors import ApiError

SCOPES = ("read", "write", "admin")
"""Each includes the ones before it."""

Declared = Literal["open", "read", "write", "admin"]
"""What an operation says of the token that it needs: `open` is none."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})

SHORTEST_SECRET = 16
"""Characters a token has at least."""

FORM = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a token is made of (RFC 6750, section 2.1): servers drop headers with other letters."""


@dataclass(frozen=True)
class Token:
    """A token by its name; of its secret only the SHA-256 is kept."""

    name: str
    scope: str
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, scope: str, secret: str) -> Token:
        """The token called `name`, which is `secret`."""
        return cls(name, scope, hashlib.sha256(secret.encode()).digest())


class Unauthorized(ApiError):
    """401: no token, or none that is known."""

    status, code = 401, "unauthorized"
    message = "A valid token is needed: Authorization: Bearer …"
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class Forbidden(ApiError):
    """403: the token lacks the scope for this."""

    status, code = 403, "forbidden"

    def __init__(self, scope: str) -> None:
        super().__init__(f"The token needs the scope {scope}.")
        said = f'Bearer error="insufficient_scope", scope="{scope}"'
        self.headers = {"WWW-Authenticate": said}


def needed_scope(declared: Declared, public_reads: bool) -> str | None:
    """The scope that a token needs for an operation which declares this, if there has to be one."""
    if declared == "open" or (declared == "read" and public_reads):
        return None
    return declared


class Guard:
    """Lets requests pass, or not.

    Args:
        tokens: the valid ones.
        public_reads: whether tasks may be read without a token.
    """

    def __init__(self, tokens: tuple[Token, ...], public_reads: bool) -> None:
        self._tokens = tokens
        self._public_reads = public_reads

    def check(self, environ: Mapping[str, Any], declared: Declared | None) -> None:
        """Return if the request may be served. Raises Unauthorized, Forbidden.

        Args:
            environ: of the request.
            declared: by the operation that the router found for it, however its path was spelled;
                None if it found none. Even that is told to nobody anonymous.
        """
        if declared is None:
            needed: str | None = "read" if environ["REQUEST_METHOD"] in _READS else "write"
        else:
            needed = needed_scope(declared, self._public_reads)
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
