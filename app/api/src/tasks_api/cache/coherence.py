"""Whether Redis may be asked, and whether what it holds may be believed.

The protocol of `lease` needs every END to reach Redis before the write is acknowledged. When one
does not (Redis hangs, or only this process cannot reach it), other processes may still find the old
value there. So the write is announced over PostgreSQL, and every process that hears it **suspends**
the cache: it empties it, for SUSPENSION_SECONDS it neither reads nor fills it, and then it empties
it once more before it uses it again. The write is acknowledged once all have heard of it, and not
at all (503) if it cannot be announced. While the suspension surely lasts, further writes wait for
nothing.

A process that starts believes nothing until it listens and has then emptied the cache: it may be
the only one left after a write that others announced. A process that stood still, and so may not
have heard, believes nothing until it has caught up.

A process that PostgreSQL does not reach (its way there is black, or so slow that it is not waited
for) hears nothing. It goes on with what is cached, because it cannot tell this from a database that
stands still or is down, which takes no writes. It finds nothing old as long as one process reaches
both: that one has emptied the cache before the write was acknowledged, leases included, so that
nobody fills it with what was read before. Who has not heard may fill it again, with what a further
write makes old; so for _DEAF_SECONDS after somebody could not be waited for every write is
announced.

What remains is a cut right through the middle: the writer reaches PostgreSQL but not Redis, the
reader Redis but not PostgreSQL, and no process both. The reader may then see what is old until it
is reached or the value expires. Nothing that it sees tells this from a database that stands still,
during which cached reads are to go on; and a writer that waited for it would wait for every process
that is only gone.

Independent of that, Redis counts as **unreachable** from the first command without an answer, so
that requests do not wait for it one after the other. A thread asks for it until it answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from redis import RedisError, ResponseError

from tasks_api.cache.redis import RedisLink
from tasks_api.ops import metrics

SUSPENSION_SECONDS = 2.0
_RETRY_SECONDS = 0.2
# A process whose way to PostgreSQL is slow has noticed by then that it missed something.
_DEAF_SECONDS = 15.0

_logger = logging.getLogger(__name__)


class Coherence:
    """What one process knows of Redis and may do with it; safe to share between threads.

    Args:
        link: leads to Redis.
        announce: makes every process `hear`, waits until they have, and returns whether all did.
            Raises Unavailable.
    """

    def __init__(self, link: RedisLink, announce: Callable[[], bool]) -> None:
        self.reachable = True
        """Whether to send it anything."""
        self.settled = threading.Event()
        """Set when it is `believed` for the first time, or cannot be so soon."""
        self._believed = self._listening = False
        self._hears_until = float("inf")
        self._link = link
        self._announce = announce
        self._announced = self._suspended_until = self._deaf_until = float("-inf")
        self._lock, self._announcing = threading.Lock(), threading.Lock()
        self._refusal = ""
        self._recovery: threading.Thread | None = None
        self._recovery_is_due = False
        self._closed = threading.Event()
        metrics.CACHE_AVAILABLE.set(1)

    @property
    def believed(self) -> bool:
        """Whether to take values from it, and to give it any."""
        if self._recovery_is_due:
            with self._lock:
                self._start_recovery()
        return self._believed and time.monotonic() < self._hears_until

    def lost(self, error: RedisError) -> None:
        """Note that a command failed."""
        if isinstance(error, ResponseError):  # it answers, but refuses: nobody waits for that
            if str(error) != self._refusal:  # which names the command, see `RedisLink.refused`
                self._refusal = str(error)
                _logger.warning("Cache refuses, going on without: %s", error)
            return
        with self._lock:
            if self.reachable:
                _logger.warning("Cache unavailable, going on without: %s", error)
            self.reachable = self._believed = False
            self._start_recovery()

    def listening(self, suspended: bool) -> None:
        """Begin to use the cache, now that `hear` will be called for every announcement.

        With `suspended`, one of before may still be relied on: see `report_missed_end`.
        """
        self._listening = True
        self.suspend(SUSPENSION_SECONDS / 2 if suspended else 0)
        if suspended:
            self.settled.set()

    def hears(self, until: float) -> None:
        """Note that announcements are heard until this time.monotonic(), or else there are none."""
        self._hears_until = until
        if until == float("inf"):
            self.settled.set()

    def suspend(self, seconds: float = SUSPENSION_SECONDS) -> None:
        """Neither read nor fill the cache for a while, and empty it before going on."""
        with self._lock:
            self._believed = False
            self._suspended_until = max(self._suspended_until, time.monotonic() + seconds)
            self._start_recovery()

    def hear(self) -> None:
        """React to an announcement: `suspend`, and leave nothing to those who have not heard it."""
        self.suspend()
        if self.reachable:
            try:
                self._link.call("FLUSHDB")
            except RedisError as error:
                self.lost(error)

    def report_missed_end(self) -> None:
        """Return when no process reads from the cache what it held before a write without END.

        Raises:
            Unavailable: 503, that cannot be brought about: the write must not be acknowledged.
        """
        with self._announcing:
            now = time.monotonic()
            if now - self._announced < SUSPENSION_SECONDS / 2 and now > self._deaf_until:
                return  # all stay suspended for as long again, and empty the cache after that
            self.suspend()
            if not self._announce():
                self._deaf_until = time.monotonic() + _DEAF_SECONDS
            self._announced = now

    def close(self) -> None:
        """End the recovery."""
        self._closed.set()

    def _start_recovery(self) -> None:
        metrics.CACHE_AVAILABLE.set(0)
        if self._recovery is None and not self._closed.is_set():
            recovery = threading.Thread(target=self._recover, name="cache", daemon=True)
            try:
                recovery.start()
            except RuntimeError:  # the container may have no more threads now
                self._recovery_is_due = True
                return
            self._recovery, self._recovery_is_due = recovery, False

    def _recover(self) -> None:
        while not self._closed.is_set():
            try:
                if self._recovered():
                    return
            except RedisError as error:
                self.lost(error)
                self.settled.set()
            self._closed.wait(_RETRY_SECONDS)

    def _recovered(self) -> bool:
        """Take one step; returns whether the cache is in use again. Raises RedisError."""
        self._link.ping()
        with self._lock:
            if not self.reachable:
                _logger.warning("Cache available again")
                self._link.renew()
                self.reachable = True
            suspended_until = self._suspended_until
        if not self._listening or time.monotonic() < suspended_until:
            return False
        if suspended_until > float("-inf"):
            self._link.call("FLUSHDB")
        with self._lock:
            if self._suspended_until != suspended_until or not self.reachable:
                return False
            self._suspended_until = float("-inf")
            self._believed = True
            self._recovery = None
            metrics.CACHE_AVAILABLE.set(1)
            self.settled.set()
            return True
