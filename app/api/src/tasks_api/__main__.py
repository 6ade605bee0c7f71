"""Start the server: ``python -m tasks_api``."""

from __future__ import annotations

import os
import signal
import socket
import sys
from functools import partial
from tempfile import TemporaryDirectory

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from tasks_api import leaving, server, silence
from tasks_api.config import Config, ConfigError
from tasks_api.turns import TURNS

# The longest request waits for its body until `silence` ends it.
_DRAIN_SECONDS = 15
# Most requests of a worker that may wait at a time, for their body or a connection to the database.
_WAITING = 60
_STOPS = (signal.SIGTERM, signal.SIGINT)


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
    with TemporaryDirectory(prefix="tasks_api-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # before any worker counts
        _Server(config).serve()
    return 0


def _require_free_address(host: str, port: int) -> None:
    """Raise OSError if the address is taken or not ours.

    granian's workers listen with SO_REUSEPORT, by which a second server of the same user would get
    every other connection without either noticing.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


class _Server(Server):  # type: ignore[misc]
    """granian with the settings of `config`, with workers that wait and stop as ours do."""

    def __init__(self, config: Config) -> None:
        super().__init__(
            "tasks_api.app:create_app",
            factory=True,
            address=config.api_host,
            port=config.api_port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=config.api_workers,
            blocking_threads=config.api_threads,
            # Otherwise one killed worker ends the server.
            respawn_failed_workers=True,
            workers_kill_timeout=_DRAIN_SECONDS,
            log_level=LogLevels(config.log_level.lower()),
            log_access=False,
        )
        TURNS.limit, TURNS.room = config.api_threads, _WAITING
        server.install()
        # All these hold for workers started again later, too. Signals wait while one is forked.
        os.register_at_fork(
            before=partial(signal.pthread_sigmask, signal.SIG_BLOCK, _STOPS),
            after_in_parent=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, _STOPS),
            after_in_child=self._begin_worker,
        )
        # Only now: granian warns of so many threads, not knowing that few of them work at a time.
        waiting = _WAITING + config.db_pool_size
        self.on_startup(lambda: setattr(self, "blocking_threads", config.api_threads + waiting))

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop, once the clients know."""
        leaving.announce(self.bind_port)
        super().shutdown(exit_code)

    def _begin_worker(self) -> None:
        """Let a worker that still loads be ended by a signal.

        Until granian sets a worker's handlers, it has those of the main process, which do nothing
        in it: a stop in that half second would wait for the whole time of draining.
        """
        for number in _STOPS:
            signal.signal(number, signal.SIG_DFL)
        leaving.prepare_worker()
        silence.watch(self.bind_port)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)


if __name__ == "__main__":
    sys.exit(main())
