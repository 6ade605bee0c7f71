"""The cache protocol: what Redis holds is never older than an acknowledged write.

Four short scripts, each atomic in Redis, on three keys per cached value:

- the value itself: JSON, with a time to live;
- its **lease**: who may fill it. The random token of one reader, for 5 s;
- its **fence**: the writes under way, each with the time it is given up at.

A reader that finds no value takes the lease, then reads the database, then fills:

    READ   the value, or else the lease, if nobody has it and the fence is empty
    FILL   the value, if the lease is still mine

A writer is surrounded, its answer being sent after END:

    BEGIN  before the statement: remove value and lease, enter the fence
    END    after its COMMIT or rollback: remove value and lease, leave the fence

Why that is enough. Take a value that was filled from a snapshot which lacks an acknowledged write.
The lease was taken before the snapshot, the snapshot before the COMMIT, the COMMIT before END. Had
FILL come after END, then END had removed the lease, and FILL had been refused. So FILL came before
END, and END removed the value before the write was acknowledged. BEGIN and the fence are for what
END cannot do: if a writer dies between COMMIT and END, or does not know whether its COMMIT came to
be, then nothing is filled until the database has ended the statement (a FILL after BEGIN needs a
lease taken after BEGIN, which the fence forbids; one before BEGIN is removed by it).

A restart of Redis (or FLUSHDB) forgets leases too, so no FILL of before succeeds after it: that is
why tokens never come again. It also forgets fences. That costs something only if the writer dies as
well: what is found may then be older than its write, which nobody was told of, until it expires.
A command that arrives late, its sender having given up, does no harm: a READ leases to nobody, a
BEGIN only fences, FILL and END do what they did in time. Reads must go to the primary database.
What the protocol cannot see, an END that did not reach Redis, is for `coherence`.

Leases are from "Scaling Memcache at Facebook" (NSDI 2013), section 3.2.1; the fence is ours.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable
from typing import Literal, NamedTuple, cast

from redis.exceptions import NoScriptError

from tasks_api.cache.redis import RedisLink

LEASE_SECONDS = 5

_READ = """
local value = redis.call('GET', KEYS[1])
if value then return value end
if redis.call('EXISTS', KEYS[3]) == 1 then
    local now = redis.call('TIME')[1]
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
    if redis.call('EXISTS', KEYS[3]) == 1 then return 2 end
end
if redis.call('PTTL', KEYS[2]) >= 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return 1
"""
_FILL = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
redis.call('DEL', KEYS[2])
return 1
"""
_BEGIN = """
local given_up = redis.call('TIME')[1] + ARGV[2] + 1
for i = 1, #KEYS, 3 do
    redis.call('DEL', KEYS[i], KEYS[i + 1])
    redis.call('ZADD', KEYS[i + 2], given_up, ARGV[1])
    redis.call('EXPIRE', KEYS[i + 2], ARGV[2] + 1)
end
"""
_END = """
for i = 1, #KEYS, 3 do
    redis.call('DEL', KEYS[i], KEYS[i + 1])
    redis.call('ZREM', KEYS[i + 2], ARGV[1])
end
"""


class Found(NamedTuple):
    """A value that READ found."""

    payload: bytes


class Lease(NamedTuple):
    """READ found no value; its holder is the one to fill it."""

    key: str
    token: str


Absent = Literal["leased", "fenced"]
"""READ found no value, and another reader has the lease, or a write is under way."""

_ABSENT: dict[int, Absent] = {0: "leased", 2: "fenced"}


class LeaseCache:
    """The protocol over a connection to Redis. Every method raises redis.RedisError.

    Args:
        link: sends commands.
        ttl_seconds: how long a value lives at most.
        fence_seconds: when a write is given up whose END does not come: later than the database
            ends its statement.
    """

    def __init__(self, link: RedisLink, ttl_seconds: int, fence_seconds: int) -> None:
        self._link = link
        self._ttl = ttl_seconds
        self._fence = fence_seconds
        self._digests: dict[str, str] = {}
        # Never the same twice, in any process: a READ that arrives late must not revive a lease.
        self._tokens = map(f"{secrets.token_hex(8)}-{{}}".format, itertools.count())

    def read(self, key: str) -> Found | Lease | Absent:
        """READ the value under `key`."""
        # Mostly there is one, and scripts copy what they return, which is slow for a long list.
        value = self._link.call("GET", key)
        if value is not None:
            return Found(value)
        token = next(self._tokens)
        reply = self._run(_READ, [key], token, LEASE_SECONDS)
        if isinstance(reply, bytes):
            return Found(reply)
        return Lease(key, token) if reply == 1 else _ABSENT[cast(int, reply)]

    def fill(self, lease: Lease, payload: bytes) -> bool:
        """FILL the value, or only give the lease back if `payload` is empty.

        Returns whether the lease was still held.
        """
        return self._run(_FILL, [lease.key], lease.token, payload, self._ttl) == 1

    def new_writer(self) -> str:
        """A name for a write, to give to `begin` and `end`."""
        return next(self._tokens)

    def begin(self, keys: Iterable[str], writer: str) -> None:
        """BEGIN a write to what `keys` hold."""
        self._run(_BEGIN, keys, writer, self._fence)

    def end(self, keys: Iterable[str], writer: str) -> None:
        """END the write."""
        self._run(_END, keys, writer)

    def discard(self, key: str) -> None:
        """Remove a value that is none of ours."""
        self._run(_END, [key], "")

    def _run(self, script: str, keys: Iterable[str], *arguments: str | bytes | int) -> object:
        names = [name for key in keys for name in (key, f"{key}:lease", f"{key}:fence")]
        digest = self._digests.get(script) or self._load(script)
        try:
            return self._link.call("EVALSHA", digest, len(names), *names, *arguments)
        except NoScriptError:  # Redis was restarted
            return self._link.call("EVALSHA", self._load(script), len(names), *names, *arguments)

    def _load(self, script: str) -> str:
        digest = cast(bytes, self._link.call("SCRIPT", "LOAD", script)).decode()
        self._digests[script] = digest
        return digest
