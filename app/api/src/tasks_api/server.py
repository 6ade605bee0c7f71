"""granian, set up for this service: its workers' processes, and how they take requests."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server, mp

from tasks_api.config import Config
from tasks_api.silence import Silence
from tasks_api.turns import Turns

# The longest request: wait for a connection 1, connect 3, or the statement's 5.5 s; and a body.
_DRAIN_SECONDS = 15
BODIES_WAITED_FOR = 60
"""Threads of a process beside those that work."""

_SILENCE_SECONDS = 10.0

Environ = dict[str, Any]


def build_server(config: Config) -> Server:
    """The server, not yet started. Call it once in a process."""
    # A private name, so the version is pinned and a test sees it move. granian's own wrapper would
    # copy the process environment, passwords included, into every request.
    mp._wsgi_call_wrap = lambda application, *_: take_requests(application, config)
    return Server(
        "tasks_api.app:create_app",
        factory=True,
        address=config.api_host,
        port=config.api_port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=config.api_workers,
        blocking_threads=config.api_threads + BODIES_WAITED_FOR,
        # Otherwise one killed worker ends the server.
        respawn_failed_workers=True,
        workers_kill_timeout=_DRAIN_SECONDS,
        log_level=LogLevels(config.log_level.lower()),
        log_access=False,
    )


def take_requests(application: Any, config: Config) -> Callable[[Any, Environ], None]:
    """What granian calls, in one of its threads, with each request's head.

    Args:
        application: Flask's, its `wsgi_app` being a Front.
        config: the settings.
    """
    turns = Turns(config.api_threads, BODIES_WAITED_FOR)
    silence = Silence(config.api_port, _SILENCE_SECONDS)
    front = application.wsgi_app
    basis: Environ = {
        "SCRIPT_NAME": "",
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multiprocess": config.api_workers > 1,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.version": (1, 0),
    }

    def has_body(environ: Environ) -> bool:
        """Whether to wait for a body. One that is too large is refused without being read."""
        length = environ.get("CONTENT_LENGTH", "0")
        return "HTTP_TRANSFER_ENCODING" in environ or 0 < int(length) <= config.max_body_bytes

    def read_body(stream: Any) -> bytes | None:
        with silence.limited():
            return turns.wait(lambda: stream.read(config.max_body_bytes + 1))

    def take(protocol: Any, scope: Environ) -> None:
        turns.take()
        try:
            environ = basis | scope
            body = read_body(environ["wsgi.input"]) if has_body(environ) else b""
            environ["wsgi.input"] = io.BytesIO(body or b"")
            answer = front.respond(environ) if body is not None else front.refuse(environ)
            protocol.response_bytes(answer.status, list(answer.headers.items()), answer.body)
        finally:
            turns.give()

    return take
