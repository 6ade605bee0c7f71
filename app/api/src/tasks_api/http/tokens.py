"""Bearer tokens: names, scopes, and of the secrets only a hash."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

SCOPES = ("read", "write", "admin")
"""Each includes the ones before it."""

Declared = Literal["open", "read", "write", "admin"]
"""What an operation says of the token that it needs: `open` is none."""

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
