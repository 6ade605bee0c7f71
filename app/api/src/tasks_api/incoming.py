"""Bodies of requests, read before anything else is done."""

from __future__ import annotations

import threading
import time
from typing import Any

from tasks_api.errors import BodyTooLarge, Busy, IncompleteBody
from tasks_api.turns import TURNS, NoRoom

Environ = dict[str, Any]

BODY = "tasks_api.body"
"""Where the WSGI environment holds the body, in bytes."""
UNREAD = "tasks_api.unread"
"""Set in the WSGI environment if the body was not read to its end: the connection has to end."""

_begun: dict[int, float] = {}


def receive(environ: Environ, most_bytes: int) -> None:
    """Put the request's body under BODY.

    It may come slowly or never; the thread waits without a turn, until `silence` ends it.

    Raises:
        BodyTooLarge: 413, there is more than `most_bytes`.
        Busy: 503, too many bodies are waited for.
        IncompleteBody: 400, the client hung up before the end. The server does not tell where a
        body in chunks was cut off; what is then taken is still one whole JSON object.
    """
    environ[BODY] = b""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.strip("0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    environ[UNREAD] = True
    if length.isdecimal() and int(length) > most_bytes:
        raise BodyTooLarge
    thread = threading.get_ident()
    _begun[thread] = time.monotonic()
    try:
        with TURNS.waiting():
            body = environ["wsgi.input"].read(most_bytes + 1)
    except NoRoom:
        raise Busy from None
    finally:
        del _begun[thread]
    if len(body) > most_bytes:
        raise BodyTooLarge
    if "HTTP_TRANSFER_ENCODING" not in environ and len(body) < int(length):
        raise IncompleteBody
    del environ[UNREAD]
    environ[BODY] = body


def longest_wait() -> float:
    """For how many seconds a body has been waited for; 0 if none is."""
    return time.monotonic() - min(list(_begun.values()), default=time.monotonic())
