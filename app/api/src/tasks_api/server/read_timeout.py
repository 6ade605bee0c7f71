"""Bodies that come late, and an end to those that take too long or are too many.

Needed because granian waits without end for a body, with a thread, until it has a timeout for that (declined
in emmett-framework/granian#728) or reads bodies before it takes a thread. A body that is there is read at
once and counts for nothing. Of those that are late, each client keeps its share of the newest, and all
together keep as many as there are places, for LIMIT_SECONDS. The others are answered here, while their
threads still read: a client that minds the answer ends its connection, and so does the read.

Connections of clients that do not mind are shut down. granian does not tell which one a request came from,
but the kernel tells of each when something was last sent on it, and that was the answer.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from tasks_api.errors import ApiError, Busy, RequestTimeout, as_response
from tasks_api.http.messages import Environ, current
from tasks_api.server.concurrency import SLOTS
from tasks_api.server.drain import is_established, own_sockets, tcp_info

PROTOCOL = "tasks_api.protocol"
"""Where the WSGI environment has what granian sends answers with, from any thread."""
LIMIT_SECONDS = 10.0
"""How long a body may take."""
PLACES = 32
"""How many late bodies a worker waits for, of the MOST_WAITING of `workers`."""
SHARE = 8
"""How many of them are one client's."""
_LATE_SECONDS = 0.025
_LOOK_SECONDS = 0.025
# How long a client may take to mind its answer, for how long nothing else is sent to one that does not, how
# coarse the kernel's times are, and after how long the answer was not sent, because its client does not read.
_HEED_SECONDS, _REST_SECONDS, _CLOCK_SECONDS, _UNSENT_SECONDS = 0.2, 0.1, 0.02, 1.0
# Where struct tcp_info of linux/tcp.h has tcpi_last_data_sent, tcpi_last_ack_sent (which is not kept) and
# tcpi_last_data_recv, in milliseconds ago.
_TIMES = 44


class Wait:
    """A thread that reads a body of `client`, an address."""

    def __init__(self, environ: Environ, client: str) -> None:
        self.environ, self.client = environ, client
        self.request = current.get(None)
        self.began = time.monotonic()
        self.refusal: ApiError | None = None
        """What its client was told, if it was given up."""
        self.given_up = 0.0
        """When it was."""
        self.may_lend = SLOTS.held

    def refuse(self, refusal: ApiError) -> None:
        """Answer the request, in place of the thread that reads."""
        response = as_response(refusal)
        length = str(len(response.body))
        response.headers |= {"Content-Length": length, "Connection": "close"}
        if self.request:
            response.headers["X-Request-ID"] = self.request.id
        if protocol := self.environ.get(PROTOCOL):
            protocol.response_bytes(response.status, list(response.headers.items()), response.body)


class LateBodies:
    """The bodies that one process waits for; safe to share between threads.

    Args:
        places: how many may be late at a time.
        share: how many of these may be one client's.
        limit: seconds that one may take.
    """

    def __init__(
        self, places: int = PLACES, share: int = SHARE, limit: float = LIMIT_SECONDS
    ) -> None:
        self._places, self._share, self._limit = places, share, limit
        self._waits: dict[Wait, None] = {}  # oldest first
        self._lent: set[Wait] = set()
        self._lock = threading.Lock()
        self._any = threading.Event()

    @contextmanager
    def reading(self, environ: Environ, client: str) -> Iterator[Wait]:
        """Count the current thread, which reads the body of `client`, as long as the context lasts."""
        wait = Wait(environ, client)
        with self._lock:
            self._waits[wait] = None
            self._any.set()
        try:
            yield wait
        finally:
            with self._lock:  # it will not be given up from now on
                del self._waits[wait]
                if wait in self._lent:
                    self._lent.remove(wait)
                    SLOTS.take_back()

    def watch(self, port: int) -> None:
        """Start a thread that looks after bodies that come over connections to `port`."""
        threading.Thread(target=self._watch, args=(port,), name="read timeout", daemon=True).start()

    def _watch(self, port: int) -> None:
        while True:
            self._any.wait()
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            unheeding = [wait for wait in self.look() if now - wait.given_up >= _HEED_SECONDS]
            if unheeding:
                _shut_down(port, unheeding)

    def look(self) -> list[Wait]:
        """Lend the slots of late ones, and give up those that are too many or take too long.

        Returns all that were given up and are still read.
        """
        now = time.monotonic()
        with self._lock:
            if not self._waits:
                self._any.clear()
            late = [wait for wait in self._waits if now - wait.began >= _LATE_SECONDS]
            for wait in late:
                if wait.may_lend and wait not in self._lent:
                    self._lent.add(wait)
                    SLOTS.lend()
            refused = self._give_up([wait for wait in late if not wait.refusal], now)
        for wait, refusal in refused:
            wait.refuse(refusal)
        return [wait for wait in late if wait.refusal]

    def _give_up(self, waits: list[Wait], now: float) -> list[tuple[Wait, ApiError]]:
        kept: Counter[str] = Counter()
        refused: list[tuple[Wait, ApiError]] = []
        refusal: ApiError
        for wait in reversed(waits):
            if now - wait.began >= self._limit:
                refusal = RequestTimeout()
            elif kept[wait.client] < self._share and kept.total() < self._places:
                kept[wait.client] += 1
                continue
            else:
                refusal = Busy()
            wait.refusal, wait.given_up = refusal, now
            refused.append((wait, refusal))
        return refused


BODIES = LateBodies()
"""Those of this process."""


class _Connection(NamedTuple):
    """One on which nothing was sent for a while; times are of `time.monotonic`."""

    sent: float
    received: float
    peer: str
    copy: socket.socket

    @property
    def is_silent(self) -> bool:
        """Whether nothing came since what was sent, and nothing just before, which that would have answered."""
        return self.received < self.sent - _CLOCK_SECONDS

    def goes_on(self, now: float) -> bool:
        """Whether something came just now, and long after what was sent."""
        return (
            self.received >= self.sent + _HEED_SECONDS and now - self.received < _LOOK_SECONDS * 2
        )

    def distance(self, wait: Wait) -> float:
        """How many seconds what was last sent and received is from what it would be for this wait."""
        return abs(self.sent - wait.given_up) + self.is_silent * abs(self.received - wait.began)


def _shut_down(port: int, waits: list[Wait]) -> None:
    """Shut down the connections of bodies that were given up.

    Such a one is that of the same peer on which something was sent last when its wait was given up. One
    that was taken for it by mistake, having been answered in the same moment, is idle.
    """
    now = time.monotonic()
    with ExitStack() as copies:
        found = []
        for connection in own_sockets(port):
            info = tcp_info(connection, _TIMES + 12)
            sent, _, received = (now - ago / 1000 for ago in struct.unpack_from("3I", info, _TIMES))
            if is_established(info) and now - sent >= _REST_SECONDS:
                peer = _as_ipv4(connection.getpeername()[0])
                copy = copies.enter_context(connection.dup())
                found.append(_Connection(sent, received, peer, copy))
        for wait in waits:
            unsent = now - wait.given_up >= _UNSENT_SECONDS
            peer = _as_ipv4(wait.environ["REMOTE_ADDR"])
            mine = [one for one in found if one.peer == peer]
            begin, end = wait.given_up - _CLOCK_SECONDS, wait.given_up + _UNSENT_SECONDS
            answered = [one for one in mine if begin <= one.sent < end]
            if answered:
                nearest = min(answered, key=lambda one: one.distance(wait))
            elif mine and unsent:
                nearest = min(mine, key=lambda one: one.sent)
            else:
                continue
            found.remove(nearest)
            if unsent or nearest.is_silent or nearest.goes_on(now):
                with suppress(OSError):  # its client was quicker
                    nearest.copy.shutdown(socket.SHUT_RDWR)


def _as_ipv4(address: str) -> str:
    """An address, or the IPv4 one that stands in it."""
    return address.removeprefix("::ffff:")
