"""What all variants run against: one PostgreSQL with one table, and a Redis, the same for each of them.

How every `GET /tasks` comes to be answered from the database
--------------------------------------------------------------
Deleting the key while the load runs is not honest: how many requests still hit depends on how fast the variant is, and
a cache with a lease, like this API's, sends parallel misses to one SELECT, which is right for a cold key and hides what
a SELECT costs. So the second Redis is an ordinary redis-server whose wall clock libfaketime runs CLOCK_RATE times too
fast: the 60 s of every value are over before the next command is read, and so are the seconds of any lease. Each
request of each variant then asks Redis and gets nil, runs its SELECT, and sends the value to Redis. Its program is not
changed, redis-benchmark shows no difference beyond the noise, and its monotonic clock, which drives its event loop,
runs as ever. Before each run it is checked that at least 95 % of the answers come from the database. A variant that fills
under a lease has its fill refused by then: the payload is sent, but not stored.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from redis import Redis

from bench.api.workloads import SEED_ROWS
from bench.api.wrk import BrokenLoadError
from tests.api.servers import PASSWORD, Postgres, RedisServer
from tests.support.project import ROOT

CLOCK_RATE = 30_000_000
# libfaketime counts nanoseconds since 1970 in 64 bits: beyond 2262 its times are negative. At the rate above that is
# four minutes after the start.
_LAST_SECOND = 9_000_000_000
DATABASE = "bench"
MIGRATIONS = ROOT / "app" / "database" / "migrations"

_FILL = """
    INSERT INTO tasks (title, description, status, created_at, updated_at)
    SELECT 'Setup Docker Environment ' || n, 'Configure all containers and networks', 'in_progress', moment, moment
    FROM generate_series(1, {rows}) AS n
    CROSS JOIN LATERAL (SELECT now() AT TIME ZONE 'UTC' - n * interval '1 second' AS moment) AS clock
    ORDER BY n"""


def has_fast_clock() -> bool:
    """Whether faketime is installed, which makes values expire at once."""
    return shutil.which("faketime") is not None


@cache
def _fast_clock() -> Mapping[str, str]:
    """The variables that make a process's wall clock run too fast; faketime knows where its library is."""
    asked = ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"]
    library = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    clock = {"FAKETIME": f"+0 x{CLOCK_RATE}", "DONT_FAKE_MONOTONIC": "1"}
    return {"LD_PRELOAD": library, "FAKETIME_DONT_FAKE_MONOTONIC": "1", **clock}


class ExpiringRedis(RedisServer):
    """A Redis in which every value with a time to live has expired by the next command."""

    def _spawn(self, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        super()._spawn(command, {**(environ or os.environ), **_fast_clock()})


class Stage:
    """PostgreSQL, both kinds of Redis, and the table in the state a run begins with."""

    def __init__(self, folder: Path) -> None:
        self.postgres = Postgres(_made(folder / "postgres"))
        self.redis = RedisServer(_made(folder / "redis"))
        self.expiring = ExpiringRedis(_made(folder / "expiring"))
        self._rows = 0

    def start(self) -> None:
        """Start the servers, and migrate the database."""
        self.postgres.start()
        self.redis.start()
        self.postgres.execute(f"CREATE DATABASE {DATABASE}")
        for file in sorted(MIGRATIONS.glob("*.sql")):
            self.postgres.execute(file.read_text(encoding="utf-8"), DATABASE)

    def stop(self) -> None:
        """Stop them."""
        for server in (self.expiring, self.redis, self.postgres):
            server.stop()

    def environment(self, expired: bool) -> dict[str, str]:
        """The variables that lead a variant here; the names are the seed's."""
        redis = self.expiring if expired else self.redis
        return {
            **{"DB_HOST": "127.0.0.1", "DB_PORT": str(self.postgres.port), "DB_NAME": DATABASE},
            **{"DB_USER": "admin", "DB_PASSWORD": PASSWORD},
            **{"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port)},
        }

    def fresh(self, rows: int = SEED_ROWS, expired: bool = False, changed: bool = True) -> None:
        """Empty the cache, and have tasks 1 to `rows` in the table, without dead rows.

        Args:
            rows: how many tasks.
            expired: which Redis.
            changed: whether the table may have been written to since the last call.
        """
        if changed or rows != self._rows:
            self._fill(rows)
        with Redis(port=(self.expiring if expired else self.redis).port) as client:
            client.flushall()
            if expired and not 0 < client.time()[0] < _LAST_SECOND:
                raise BrokenLoadError(
                    "Redis's fast clock has come to its end: give fewer --seconds or --connections, or fewer servers at a time"
                )

    def roots(self) -> list[int]:
        """The processes everything here descends from."""
        servers = (self.postgres, self.redis, self.expiring)
        return [server.process.pid for server in servers if server.process]

    def versions(self) -> list[str]:
        """What the servers are."""
        ((postgres,),) = self.postgres.execute("SHOW server_version")
        with Redis(port=self.redis.port) as client:
            redis = client.info("server")["redis_version"]
        return [f"PostgreSQL {postgres}, fsync off", f"Redis {redis}"]

    def _fill(self, rows: int) -> None:
        for statement in (
            "TRUNCATE tasks RESTART IDENTITY",
            _FILL.format(rows=rows),
            "VACUUM (ANALYZE) tasks",
            "CHECKPOINT",
        ):
            self.postgres.execute(statement, DATABASE)
        self._rows = rows


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
