"""One id for each request, in its answer and its log lines: the client's own, or a new one."""

from __future__ import annotations

import itertools
import re
import secrets
from contextvars import ContextVar

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_prefix, _numbers = secrets.token_hex(6), itertools.count(1)

current: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that the thread works on."""


def begin(given: str | None) -> str:
    """Make `given`, the header X-Request-ID, the current id if it is one, else a new id."""
    value = given if given and _ACCEPTABLE.fullmatch(given) else f"{_prefix}-{next(_numbers):x}"
    current.set(value)
    return value
