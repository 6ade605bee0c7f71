"""What no variant can pass: the same bytes without any work behind them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from redis import Redis

from bench.api.stage import DATABASE, Stage
from bench.api.workloads import WORKLOADS, Workload
from bench.api.wrk import Load

REDIS = "redis-benchmark"
_REQUESTS_PER_SECOND = (
    40_000  # about what it reaches on two cores, so that it takes about as long as the rest
)
_HANG_SECONDS = 600  # only to end one that hangs

_LIST = "SELECT count(*), json_agg(t ORDER BY created_at DESC) FROM tasks t"


def is_limited(workload: Workload) -> bool:
    """Whether a limit says anything about it: a list out of the cache."""
    return workload.path == "/tasks" and workload.source == "cache"


def has_redis_benchmark() -> bool:
    """Whether there is one to run."""
    return shutil.which(REDIS) is not None


class Payloads:
    """Answers to GET /tasks, one file per number of rows, called like it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    def write(self, stage: Stage) -> None:
        """Fill the stage with each number of rows, and write what an answer is."""
        for rows in {workload.rows for workload in WORKLOADS.values() if is_limited(workload)}:
            stage.fresh(rows)
            ((count, tasks),) = stage.postgres.execute(_LIST, DATABASE)
            answer = {"source": "cache", "count": count, "tasks": tasks}
            self.of(rows).write_text(json.dumps(answer, separators=(",", ":")), encoding="utf-8")

    def of(self, rows: int) -> Path:
        """The file with an answer of so many rows."""
        return self.folder / str(rows)


def redis_benchmark(stage: Stage, payload: bytes, connections: int, seconds: int) -> Load:
    """GET of `payload` from the stage's Redis, for about `seconds`."""
    with Redis(port=stage.redis.port) as client:
        client.set("payload", payload)
    count = _REQUESTS_PER_SECOND * seconds // (1 + len(payload) // 20_000)
    done = subprocess.run(
        [
            *(REDIS, "-h", "127.0.0.1", "-p", str(stage.redis.port), "-c", str(connections)),
            *("-n", str(count), "--csv", "GET", "payload"),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=_HANG_SECONDS,
    )
    return from_csv(done.stdout, count)


def from_csv(text: str, count: int) -> Load:
    """A Load from the last two lines of ``redis-benchmark --csv``: names, and figures in ms."""
    names, figures = (line.replace('"', "").split(",") for line in text.strip().splitlines()[-2:])
    row = dict(zip(names, figures, strict=True))
    return Load(
        count, float(row["rps"]), float(row["p50_latency_ms"]), float(row["p99_latency_ms"])
    )
