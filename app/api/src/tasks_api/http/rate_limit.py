"""How fast one client may ask: so many requests per second, and so many at once after a pause.

The rule is the generic cell rate algorithm (ITU-T I.371): a client's requests move a point in time
forward by their interval each, and it may not get further ahead of now than its burst allows.

The points are in memory that all processes of a container share, in a table of fixed size: whoever
sends from many addresses fills no memory. A client has a slot in each of three rows, found by a hash
that nobody outside can foresee, and counts as too fast only where all three say so: that it shares
one slot with a fast client does no harm. Writing is not locked: two processes at the same slot at
the same moment may count one request instead of two.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import secrets
import time
from collections.abc import Callable

from tasks_api.errors import ApiError

_ROWS, _SLOTS = 3, 1 << 14
_SIZE = _ROWS * _SLOTS * 8
_SECOND = 1_000_000_000


class TooManyRequests(ApiError):
    """429: the client asks too often; `seconds` is when to come back."""

    status, code, message = 429, "too_many_requests", "This client asks too often."

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(seconds)}


class ClientRate:
    """The limit for each client of one container.

    Args:
        rate: requests per second; 0 is no limit.
        burst: requests at once.
        folder: of the container's own, with a random name, where the processes meet; empty: alone.
        clock: nanoseconds, the same in all processes.
    """

    def __init__(
        self,
        rate: int,
        burst: int,
        folder: str = "",
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._interval = _SECOND // rate if rate else 0
        self._ahead = self._interval * (burst - 1)
        self._clock = clock
        self._key = hashlib.blake2b(folder.encode() or secrets.token_bytes(16)).digest()
        self._points = memoryview(_memory(folder) if rate else bytearray(8)).cast("q")

    def check(self, client: str) -> None:
        """Count a request. Raises TooManyRequests."""
        if seconds := self.seconds_to_wait(client):
            raise TooManyRequests(seconds)

    def seconds_to_wait(self, client: str) -> int:
        """0, and the request is counted; or after how many seconds the next one is welcome."""
        if not self._interval:
            return 0
        now, slots = self._clock(), self._slots(client)
        point = max(min(self._points[slot] for slot in slots), now)
        if point - now > self._ahead:
            return math.ceil((point - now - self._ahead) / _SECOND)
        for slot in slots:
            self._points[slot] = max(self._points[slot], point + self._interval)
        return 0

    def _slots(self, client: str) -> list[int]:
        digest = hashlib.blake2b(client.encode(), key=self._key, digest_size=2 * _ROWS).digest()
        return [
            row * _SLOTS + int.from_bytes(digest[2 * row : 2 * row + 2]) % _SLOTS
            for row in range(_ROWS)
        ]


def _memory(folder: str) -> mmap.mmap:
    """Zeros at first. The size is set by each process, to the same: that changes nothing."""
    if not folder:
        return mmap.mmap(-1, _SIZE)
    descriptor = os.open(os.path.join(folder, "clients"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.ftruncate(descriptor, _SIZE)
        return mmap.mmap(descriptor, _SIZE)
    finally:
        os.close(descriptor)
