"""An end to bodies that do not come: the server itself waits for them as long as it takes.

Shutting the socket down is the only way to end such a request, and the server does not tell which
socket one came from. But the kernel tells of each when something was last sent and received. Once
a body is waited for, connections are watched, and those are shut down on which

- a request has not been answered for LIMIT_SECONDS: whatever we do for one takes less;
- nothing at all has happened for as long, while some body is overdue. Among those is one whose
  client sent half a request before it had the answer to its last; the others are idle, and clients
  know that idle connections end.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import NamedTuple

from tasks_api import incoming
from tasks_api.sockets import own_sockets

LIMIT_SECONDS = 10.0
_INTERVAL_SECONDS = 1.0
# Where struct tcp_info of linux/tcp.h has tcpi_last_data_sent and tcpi_last_data_recv, both in
# milliseconds ago, and tcpi_data_segs_out.
_SENT, _RECEIVED, _SEGMENTS, _BYTES = 44, 52, 156, 160
_ESTABLISHED = 1  # its first byte, tcpi_state; listeners have another


class Unanswered(NamedTuple):
    """A connection with a request that is not answered."""

    segments: int
    """How many segments with data were sent on it, ever: one more is an answer."""
    since: float
    """The time in seconds when it was first seen so."""


def watch(port: int) -> None:
    """Start a thread that ends overdue requests on connections to `port`."""
    threading.Thread(target=_watch, args=(port,), name="silence", daemon=True).start()


def _watch(port: int) -> None:
    seen: dict[int, Unanswered] = {}
    while True:
        time.sleep(_INTERVAL_SECONDS)
        waited = incoming.longest_wait()
        seen = _sweep(port, seen, waited >= LIMIT_SECONDS) if waited >= _INTERVAL_SECONDS else {}


def _sweep(port: int, seen: dict[int, Unanswered], overdue: bool) -> dict[int, Unanswered]:
    """Shut down what is overdue. Takes what the last sweep returned, by the inodes of sockets."""
    now = time.monotonic()
    found = {}
    for inode, connection in own_sockets(port):
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES)
        sent, received, segments = (
            struct.unpack_from("I", info, place)[0] for place in (_SENT, _RECEIVED, _SEGMENTS)
        )
        if info[0] != _ESTABLISHED:
            continue
        if received >= sent:  # the last word was ours, as far as one can see
            ends = overdue and sent >= LIMIT_SECONDS * 1000
        else:
            before = seen.get(inode)
            same = before and before.segments == segments
            found[inode] = before if before and same else Unanswered(segments, now)
            ends = now - found[inode].since >= LIMIT_SECONDS
        if ends:
            with suppress(OSError):  # its client was quicker
                connection.shutdown(socket.SHUT_RDWR)
    return found
