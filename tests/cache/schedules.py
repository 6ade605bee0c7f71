"""Readers and writers of a cache as steps that a schedule interleaves, and what they must never see.

The database is a model: the version of each task. The cache is a real Redis behind each process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Protocol

from redis import Redis
from tasks_api.cache.lease import Absent, Found, Lease

TASKS = ("1", "2")
LIST = "all_tasks"
CONTENT = {LIST: TASKS, "task:1": ("1",), "task:2": ("2",)}
KEYS = tuple(CONTENT)

Schedule = Sequence[tuple[str, int]]
"""What goes on by a step, and a number to choose by where it begins something new."""
PROCESSES = ("reader 1", "reader 2", "writer 1", "writer 2")
FAULTS = ("death", "lease expires", "fence expires", "restart")


class Stale(AssertionError):
    """A reader found what it must not."""


class Cache(Protocol):
    """What `tasks_api.cache.lease.LeaseCache` does."""

    def read(self, key: str) -> Found | Lease | Absent: ...
    def fill(self, lease: Lease, payload: bytes) -> bool: ...
    def new_writer(self) -> str: ...
    def begin(self, keys: Iterable[str], writer: str) -> None: ...
    def end(self, keys: Iterable[str], writer: str) -> None: ...


class World:
    """One database, one Redis, and processes that may stop between any two of their steps.

    Args:
        redis: is emptied.
        caches: one for each process of the API.
        floor: what a found value may not be older than: `acknowledged` or `committed`.
        cut_off: the last of the processes does not reach Redis when it writes. (Read it does there,
            hearing nothing: it stands for one that PostgreSQL does not reach.)
        heard: whether another process hears of such a write and empties Redis.
    """

    def __init__(
        self,
        redis: Redis,
        caches: Sequence[Cache],
        floor: str,
        *,
        cut_off: bool = False,
        heard: bool = False,
    ) -> None:
        self.committed = dict.fromkeys(TASKS, 0)
        self.acknowledged = dict.fromkeys(TASKS, 0)
        self._floor: dict[str, int] = getattr(self, floor)
        self._redis, self._caches = redis, caches
        self._cut_off, self._heard = cut_off, heard
        self._running: dict[str, Generator[None, None, None]] = {}
        # By name of the writer, what it may still do to the database without its client.
        self._left_behind: dict[str, Callable[[], object]] = {}
        self._at_work: dict[str, tuple[str, str]] = {}
        redis.flushall()

    def run(self, schedule: Schedule) -> None:
        """Raise Stale if a reader finds what is too old."""
        for who, choice in schedule:
            if who in PROCESSES:
                self._advance(who, choice)
            else:
                getattr(self, "_" + who.replace(" ", "_"))(choice)

    def _advance(self, who: str, choice: int) -> None:
        if who not in self._running:
            cache = self._caches[choice % len(self._caches)]
            if who.startswith("reader"):
                steps = self._read(cache, KEYS[choice // 2 % len(KEYS)])
            else:
                steps = self._write(cache, who, TASKS[choice // 2 % 2], choice // 4 % 4 > 0)
            self._running[who] = steps
        if next(self._running[who], "over") == "over":
            del self._running[who]

    def _read(self, cache: Cache, key: str) -> Generator[None, None, None]:
        floor = dict(self._floor)
        reading = cache.read(key)
        if isinstance(reading, Found):
            for task, version in json.loads(reading.payload).items():
                if version < floor[task]:
                    raise Stale(f"{key} has version {version} of {task}, not {floor[task]}")
            return
        yield
        snapshot = {task: self.committed[task] for task in CONTENT[key]}
        yield
        if isinstance(reading, Lease):
            cache.fill(reading, json.dumps(snapshot).encode())

    def _write(
        self, cache: Cache, who: str, task: str, commits: bool
    ) -> Generator[None, None, None]:
        keys, writer = (LIST, f"task:{task}"), cache.new_writer()
        self._at_work[who] = writer, task
        reached = not self._cut_off or cache is not self._caches[-1]
        if reached:
            cache.begin(keys, writer)
        yield
        if commits:
            self.committed[task] += 1
        version = self.committed[task]
        yield
        if reached:
            cache.end(keys, writer)
        else:
            if self._heard:
                self._redis.flushdb()
            yield
        if commits:
            self.acknowledged[task] = max(self.acknowledged[task], version)

    def _death(self, choice: int) -> None:
        """A writer dies; its statement may be with the database and be committed all the same."""
        who = PROCESSES[2 + choice % 2]
        if self._running.pop(who, None):
            writer, task = self._at_work[who]
            self._left_behind[writer] = lambda: self.committed.update(
                {task: self.committed[task] + choice // 2 % 2}
            )

    def _fence_expires(self, choice: int) -> None:
        """The database has certainly ended what a dead writer left behind, one way or the other."""
        for writer in list(self._left_behind)[:1]:
            self._left_behind.pop(writer)()
            for key in KEYS:
                self._redis.zrem(f"{key}:fence", writer)

    def _lease_expires(self, choice: int) -> None:
        self._redis.delete(f"{KEYS[choice % len(KEYS)]}:lease")

    def _restart(self, choice: int) -> None:
        self._redis.flushall()
        self._redis.script_flush()
