"""What granian calls for each request: the WSGI application, in one of its threads.

Needed because granian's own callback (`granian.wsgi._callback_wrapper`) puts the whole environment of the
process, passwords included, into that of every request, and returns the thread at once, until the first
ends (emmett-framework/granian#878 is about it) and `concurrency`, which may park the thread, has gone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import granian.server.mp
from flask import Flask

from tasks_api.http.messages import Environ
from tasks_api.http.middleware import Middleware
from tasks_api.http.request_body import UNREAD
from tasks_api.server import drain
from tasks_api.server.concurrency import SLOTS
from tasks_api.server.read_timeout import PROTOCOL

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


def callback(application: Flask, *_: Any) -> Callable[[Any, Environ], None]:
    """The function that granian calls with a request's protocol and its part of the environment."""
    middleware = cast(Middleware, application.wsgi_app)

    def serve(protocol: Any, scope: Environ) -> None:
        SLOTS.begin()
        environ = _ENVIRON | scope
        environ[PROTOCOL] = protocol
        may_park = False
        try:
            response = middleware.respond(environ)
            if drain.announced() or UNREAD in environ:  # then granian hangs up
                response.headers["Connection"] = "close"
            protocol.response_bytes(response.status, list(response.headers.items()), response.body)
            # The body is held until we return, and an unread one holds up the connection's end.
            may_park = UNREAD not in environ
        finally:
            SLOTS.end(may_park=may_park)

    return serve
