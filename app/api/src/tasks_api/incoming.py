"""Bodies of requests, read before anything else is done."""

from __future__ import annotations

import io
import threading
import time
from typing import Any

from tasks_api.server import UNREAD
from tasks_api.turns import TURNS

Environ = dict[str, Any]

_begun: dict[int, float] = {}


def receive(environ: Environ, most_bytes: int) -> None:
    """Read the request's body into memory, up to one byte more than allowed.

    It may come slowly or never; the thread waits without a turn, until `silence` ends it.

    Raises:
        tasks_api.turns.NoRoom: too many bodies are waited for.
    """
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.strip("0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    environ[UNREAD] = True
    if length.isdigit() and int(length) > most_bytes + 1:
        return  # is refused without being read
    thread = threading.get_ident()
    _begun[thread] = time.monotonic()
    try:
        with TURNS.waiting():
            body = environ["wsgi.input"].read(most_bytes + 1)
    finally:
        del _begun[thread]
    if len(body) <= most_bytes:
        del environ[UNREAD]
    environ["wsgi.input"] = io.BytesIO(body)


def longest_wait() -> float:
    """For how many seconds a body has been waited for; 0 if none is."""
    return time.monotonic() - min(list(_begun.values()), default=time.monotonic())
