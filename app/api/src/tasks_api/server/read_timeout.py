"""An end to bodies that do not come: the server itself waits for them as long as it takes.

Shutting the socket down is the only way to end such a request, and the server does not tell which
socket one came from. But the kernel tells of each when something was last sent and received. Once
a body is waited for, connections are watched, and those are shut down on which

- a request has not been answered for LIMIT_SECONDS: whatever we do for one takes less;
- nothing at all has happened for as long, while some body is overdue. Among those is one whose
  client sent half a request before it had the answer to its last; the others are idle, and clients
  know that idle connections end;
- a body was given up, see `bodies`, and its client goes on or stays silent, whatever it was told.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress
from typing import NamedTuple

from tasks_api.http.bodies import BODIES, Wait
from tasks_api.server.sockets import own_sockets

LIMIT_SECONDS = 10.0
_INTERVAL_SECONDS = 1.0
# Where struct tcp_info of linux/tcp.h has tcpi_last_data_sent and tcpi_last_data_recv, both in
# milliseconds ago, and tcpi_data_segs_out.
_SENT, _RECEIVED, _SEGMENTS_IN, _SEGMENTS, _BYTES = 44, 52, 152, 156, 160
_ESTABLISHED = 1  # its first byte, tcpi_state; listeners have another
# How often those are looked for who have to make way, how long they may take to heed that, for how
# long nothing else is sent to them, and how coarse the kernel's times are.
_LOOK_SECONDS, _HEED_SECONDS, _REST_SECONDS, _CLOCK_SECONDS = 0.05, 0.2, 0.1, 0.02


class _Answered(NamedTuple):
    """A connection on which nothing was sent for a while."""

    at: float
    """When something was sent on it last."""
    ends: bool
    """Whether it may be ended."""
    connection: socket.socket

    def is_of(self, wait: Wait) -> bool:
        """Whether that may have been the answer to a body that was given up."""
        if self.at < wait.given_up - _CLOCK_SECONDS:
            return False
        try:
            peer = str(self.connection.getpeername()[0])
        except OSError:  # it has ended
            return False
        asked = str(wait.environ["REMOTE_ADDR"])
        return peer.removeprefix("::ffff:") == asked.removeprefix("::ffff:")


class Unanswered(NamedTuple):
    """A connection with a request that is not answered."""

    segments: int
    """How many segments with data were sent on it, ever: one more is an answer."""
    since: float
    """The time in seconds when it was first seen so."""


def watch(port: int) -> None:
    """Start a thread that ends overdue requests on connections to `port`."""
    for work in (_watch, _make_way):
        threading.Thread(target=work, args=(port,), name="read timeout", daemon=True).start()


def _watch(port: int) -> None:
    seen: dict[int, Unanswered] = {}
    while True:
        time.sleep(_INTERVAL_SECONDS)
        waited = BODIES.longest_wait()
        seen = _sweep(port, seen, waited >= LIMIT_SECONDS) if waited >= _INTERVAL_SECONDS else {}


def _make_way(port: int) -> None:
    segments: dict[int, int] = {}
    while True:
        BODIES.crowded.wait()
        time.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        unheeding = [wait for wait in BODIES.make_way() if now - wait.given_up >= _HEED_SECONDS]
        segments = _end_unheeding(port, unheeding, segments) if unheeding else {}


def _end_unheeding(port: int, waits: list[Wait], before: dict[int, int]) -> dict[int, int]:
    """Shut down the connections of bodies that were given up.

    Such a one is that of the same peer on which something was sent last when its wait was given up.
    It ends if nothing came since, or if more and more comes. One that was taken for it by mistake,
    having been answered in the same moment, is idle, for it has no request or a whole one.

    Takes what the last call returned: how many segments with data came, by the inodes of sockets.
    """
    now, segments = time.monotonic(), {}
    answered: list[_Answered] = []
    with ExitStack() as copies:
        for inode, connection in own_sockets(port):
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES)
            sent, received, segments[inode] = (
                struct.unpack_from("I", info, place)[0]
                for place in (_SENT, _RECEIVED, _SEGMENTS_IN)
            )
            if info[0] == _ESTABLISHED and sent >= _REST_SECONDS * 1000:
                ends = received >= sent or segments[inode] > before.get(inode, segments[inode])
                copy = copies.enter_context(connection.dup())
                answered.append(_Answered(now - sent / 1000, ends, copy))
        for wait in waits:
            mine = [one for one in answered if one.is_of(wait)]
            if mine:
                nearest = min(mine, key=lambda one: abs(one.at - wait.given_up))
                answered.remove(nearest)
                if nearest.ends:
                    with suppress(OSError):  # its client was quicker
                        nearest.connection.shutdown(socket.SHUT_RDWR)
    return segments


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
