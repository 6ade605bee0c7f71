"""What granian calls for each request: the WSGI application, in one of its threads.

granian's own callback (`granian.wsgi._callback_wrapper`) does the same but for two things: it puts
the whole environment of the process, passwords included, into that of every request, and it returns
the thread at once, while here it may be kept in reserve, see `turns`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import granian.server.mp

from tasks_api import leaving
from tasks_api.turns import TURNS

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

UNREAD = "tasks_api.unread"
"""Set in the WSGI environment if the body was not read to its end."""

# PEP 3333. `input_terminated`: reading the body ends where the body does.
_ENVIRON: Environ = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "granian",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def install() -> None:
    """Make granian's workers use `callback`; for processes forked from this one.

    Raises:
        AttributeError: this granian builds its workers in another way.
    """
    # There is no setting for it. All else that starts a worker stays granian's.
    granian.server.mp._wsgi_call_wrap  # noqa: B018
    granian.server.mp._wsgi_call_wrap = callback


def callback(application: Application, *_: Any) -> Callable[[Any, Environ], None]:
    """The function that granian calls with a request's protocol and its part of the environment."""

    def serve(protocol: Any, scope: Environ) -> None:
        TURNS.begin()
        environ = _ENVIRON | scope
        may_rest = False
        try:
            _answer(application, environ, protocol)
            # The body is held until we return, and an unread one holds up the connection's end.
            may_rest = UNREAD not in environ
        finally:
            TURNS.end(may_rest=may_rest)

    return serve


def _answer(application: Application, environ: Environ, protocol: Any) -> None:
    started: list[Any] = []
    chunks = application(environ, lambda *arguments: started.append(arguments))
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()
    status, headers = started[-1][:2]
    if leaving.announced() or UNREAD in environ:  # then granian hangs up
        headers = [item for item in headers if item[0] != "Connection"] + [("Connection", "close")]
    protocol.response_bytes(int(status[:3]), headers, body)
