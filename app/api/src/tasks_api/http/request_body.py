"""Bodies of requests, read before anything else is done."""

from __future__ import annotations

from tasks_api.errors import BodyTooLarge, IncompleteBody, LengthRequired
from tasks_api.http.client_address import PROXIED
from tasks_api.http.messages import Environ
from tasks_api.server.read_timeout import BODIES

BODY = "tasks_api.body"
"""Where the WSGI environment holds the body, in bytes."""
UNREAD = "tasks_api.unread"
"""Set in the WSGI environment if the body was not read to its end: the connection has to end."""


def receive(environ: Environ, most_bytes: int, client: str) -> None:
    """Put the body that is expected under BODY.

    It may come slowly or never; `read_timeout` ends the wait.

    Raises:
        BodyTooLarge: 413, there is more than `most_bytes`.
        ApiError: 503 or 408, it was given up for others, or did not come in time.
        IncompleteBody: 400, the client hung up before the end.
        LengthRequired: 411, it came in chunks, and not from a proxy of ours.
    """
    most: int | None
    if "HTTP_TRANSFER_ENCODING" in environ:
        # To the server's `read` a broken chunk, or a connection's end between two, is the body's end;
        # only without a limit it tells: all that came is gone then. Our proxies have a limit.
        if PROXIED not in environ:
            raise LengthRequired
        most, least = None, 1
    else:
        most, least = most_bytes + 1, int(environ["CONTENT_LENGTH"])
        # A proxy of ours breaks off where its own limit is, and tells its client so; to end the
        # connection before would look to it like a server that fails.
        if least > most_bytes and PROXIED not in environ:
            raise BodyTooLarge
    with BODIES.reading(environ, client) as wait:
        body = environ["wsgi.input"].read(most)
    if wait.refusal:
        raise wait.refusal
    if len(body) > most_bytes:
        raise BodyTooLarge
    if len(body) < least:
        raise IncompleteBody
    del environ[UNREAD]
    environ[BODY] = body
