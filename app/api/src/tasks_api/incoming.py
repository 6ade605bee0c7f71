"""Bodies of requests, read before anything else is done."""

from __future__ import annotations

from typing import Any

from tasks_api.bodies import BODIES
from tasks_api.errors import BodyTooLarge, Busy, IncompleteBody, LengthRequired
from tasks_api.turns import TURNS

Environ = dict[str, Any]

BODY = "tasks_api.body"
"""Where the WSGI environment holds the body, in bytes."""
UNREAD = "tasks_api.unread"
"""Set in the WSGI environment if the body was not read to its end: the connection has to end."""


def announce(environ: Environ) -> bool:
    """Whether a body comes; until it is read, it is UNREAD."""
    environ[BODY] = b""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.strip("0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return False
    environ[UNREAD] = True
    return True


def receive(environ: Environ, most_bytes: int, client: str) -> None:
    """Put the body that was announced under BODY.

    It may come slowly or never; the thread waits without a turn, until `silence` ends it, or it has
    to make way for others, see `bodies`.

    Raises:
        BodyTooLarge: 413, there is more than `most_bytes`.
        Busy: 503, it was given up for others.
        IncompleteBody: 400, the client hung up before the end.
        LengthRequired: 411, it came in chunks. A chunk that is broken, and a body that is cut off
        between two, look to us like the end: the server's `read` says nothing of errors. The edge
        takes such bodies, and passes on whole ones with their length.
    """
    chunked, length = "HTTP_TRANSFER_ENCODING" in environ, environ.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > most_bytes:
        raise BodyTooLarge
    with TURNS.waiting(must=True), BODIES.wait(environ, client) as wait:
        body = environ["wsgi.input"].read(most_bytes + 1)
    if wait.given_up:
        raise Busy
    if len(body) > most_bytes:
        raise BodyTooLarge
    if not chunked and len(body) < int(length):
        raise IncompleteBody
    del environ[UNREAD]
    if chunked:
        raise LengthRequired
    environ[BODY] = body
