"""A stop that no client notices: how connections end before their worker does.

Needed because granian, told to stop, closes every idle connection at once, until it announces that first
(emmett-framework/granian#611). Clients that keep connections open do not expect it, and send their next
request into one just closed. So a worker first says `Connection: close` in every answer, and takes
no new connections, for as long as connections are left, MOMENT_SECONDS at most.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress

MOMENT_SECONDS = 1.5

_ESTABLISHED = 1  # the first byte of struct tcp_info (linux/tcp.h), tcpi_state
# IP_MINTTL of linux/in.h and IPV6_MINHOPCOUNT of linux/in6.h: what has fewer hops to go is dropped. Almost
# nobody sends with 255, the most there is.
_LEAST_HOPS = ((socket.IPPROTO_IP, 21), (socket.IPPROTO_IPV6, 73))

_announced = False


def announced() -> bool:
    """Whether this worker is about to stop."""
    return _announced


def drain(port: int) -> None:
    """Take no more connections to `port`, and wait until those that there are have ended."""
    global _announced
    _announced = True
    deadline = time.monotonic() + MOMENT_SECONDS
    for connection in own_sockets(port):
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            _ignore_attempts(connection)
    while time.monotonic() < deadline and any(
        is_established(tcp_info(connection, 1)) for connection in own_sockets(port)
    ):
        time.sleep(0.02)


def own_sockets(port: int) -> Iterator[socket.socket]:
    """A copy, closed with the next step, of each TCP socket of this process at a local `port`."""
    for entry in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # it may be closed meanwhile
            if not stat.S_ISSOCK(os.fstat(int(entry)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(entry))) as copy:
                if copy.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                if copy.getsockname()[1] == port:
                    yield copy


def tcp_info(connection: socket.socket, size: int) -> bytes:
    """The first `size` bytes of struct tcp_info of linux/tcp.h."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)


def is_established(info: bytes) -> bool:
    """Whether a `tcp_info` is that of a connection, and not of a listener or of one that ends."""
    return info[0] == _ESTABLISHED


def _ignore_attempts(listener: socket.socket) -> None:
    """Have the kernel drop attempts to connect, as if each had come through a router (RFC 5082).

    Closing the socket instead would reset the connections that granian has not accepted yet.
    """
    for level, option in _LEAST_HOPS:
        with suppress(OSError):  # that of another family
            listener.setsockopt(level, option, 255)
