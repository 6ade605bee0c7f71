"""Start the server: ``python -m tasks_api``."""

from __future__ import annotations

import os
import signal
import socket
import sys
from tempfile import TemporaryDirectory

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from tasks_api.config import Config, ConfigError

# The longest request waits for a connection, connects, and runs a statement: 2 + 3 + 5 s.
_DRAIN_SECONDS = 15


def main() -> int:
    """Serve until SIGTERM or SIGINT, then end running requests.

    Returns 0, or 2 for wrong settings, or 1 if the address cannot be listened on.
    """
    try:
        config = Config.from_environment()
    except ConfigError as error:
        print(f"tasks_api cannot start: {error}", file=sys.stderr)
        return 2
    try:
        _require_free_address(config.api_host, config.api_port)
    except OSError as error:
        address = f"{config.api_host}:{config.api_port}"
        print(f"tasks_api cannot listen on {address}: {error.strerror}", file=sys.stderr)
        return 1
    os.register_at_fork(after_in_child=_stop_on_signals)
    with TemporaryDirectory(prefix="tasks_api-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # before any worker counts
        _server(config).serve()
    return 0


def _require_free_address(host: str, port: int) -> None:
    """Raise OSError if the address is taken or not ours.

    granian's workers listen with SO_REUSEPORT, by which a second server of the same user would get
    every other connection without either noticing.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _server(config: Config) -> Server:
    return Server(
        "tasks_api.app:create_app",
        factory=True,
        address=config.api_host,
        port=config.api_port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=config.api_workers,
        # By default half the backlog: hundreds of threads for a handful of database connections.
        blocking_threads=config.api_threads,
        # Otherwise one killed worker ends the server.
        respawn_failed_workers=True,
        workers_kill_timeout=_DRAIN_SECONDS,
        log_level=LogLevels(config.log_level.lower()),
        log_access=False,
    )


def _stop_on_signals() -> None:
    """Let a worker that still loads be ended by a signal.

    Until granian sets a worker's handlers, it has those of the main process, which do nothing in
    it: a stop in that half second would wait for the whole time of draining.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
