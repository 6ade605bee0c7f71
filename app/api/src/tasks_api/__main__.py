"""Start the server: ``python -m tasks_api``."""

from __future__ import annotations

import gc
import os
import socket
import sys
from importlib import import_module
from tempfile import TemporaryDirectory

from tasks_api.config import Config, ConfigError


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
    # A process that writes to a mapped file is killed where there is no space for the page, so the
    # image names a place that nothing else fills.
    place = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    with TemporaryDirectory(prefix="tasks_api-metrics-", dir=place) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        # prometheus-client looks there when imported. The application is loaded before the workers
        # are forked, which share what they do not change; the collector would write to all of it.
        import_module("tasks_api.app")
        from tasks_api.server.workers import ApiServer

        gc.freeze()
        ApiServer(config).serve()
    return 0


def _require_free_address(host: str, port: int) -> None:
    """Raise OSError if the address is taken or not ours.

    granian's workers listen with SO_REUSEPORT, by which a second server of the same user would get
    every other connection without either noticing.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


if __name__ == "__main__":
    sys.exit(main())
