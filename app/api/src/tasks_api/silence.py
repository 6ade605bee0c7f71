"""An end to connections whose clients say nothing while their request's body is waited for.

granian has no time limit for bodies, and nothing but the end of the connection ends such a read.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# Offsets in struct tcp_info of <linux/tcp.h>: milliseconds since data were last sent, and received.
_SENT, _RECEIVED = 8 + 9 * 4, 8 + 11 * 4
_CHECK_SECONDS = 1.0


class Silence:
    """Looks after the reads of bodies in one process; its thread lives only while there are any.

    Args:
        port: the one the server listens on.
        seconds: how long a client may be silent. Requests must be answered within less.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self._reads: dict[object, float] = {}
        self._lock = threading.Lock()
        self._watch: threading.Thread | None = None

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Surround the read of a body."""
        read = object()
        with self._lock:
            self._reads[read] = time.monotonic()
            if self._watch is None:
                self._watch = threading.Thread(target=self._run, name="silence", daemon=True)
                self._watch.start()
        try:
            yield
        finally:
            with self._lock:
                del self._reads[read]

    def _run(self) -> None:
        while True:
            time.sleep(_CHECK_SECONDS)
            with self._lock:
                if not self._reads:
                    self._watch = None
                    return
                oldest = min(self._reads.values())
            if time.monotonic() - oldest >= self._seconds:
                self._end_silent_connections()

    def _end_silent_connections(self) -> None:
        """Shut down connections on which nothing moved; idle ones that wait for a request too."""
        for name in os.listdir("/proc/self/fd"):
            try:
                if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    continue
                with socket.socket(fileno=os.dup(int(name))) as connection:
                    if self._is_silent(connection):
                        connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed meanwhile, or not connected
                continue

    def _is_silent(self, connection: socket.socket) -> bool:
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        if connection.getsockname()[1] != self._port or not connection.getpeername():
            return False
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
        quiet = min(struct.unpack_from("I", info, offset)[0] for offset in (_SENT, _RECEIVED))
        return bool(quiet >= self._seconds * 1000)
