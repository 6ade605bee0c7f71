"""What is counted, for GET /metrics; right with several worker processes.

With PROMETHEUS_MULTIPROC_DIR set (see `__main__`) each process counts in files of its own below it,
and a scrape adds them up: see "Multiprocess Mode" in the manual of prometheus-client.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = CONTENT_TYPE_LATEST

REQUESTS = Counter("http_requests", "Requests answered.", ("method", "route", "code"))
REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "From a request's start in the application to its answer.",
    ("route",),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CACHE_HITS = Counter("cache_hits", "Values found in Redis.")
CACHE_MISSES = Counter("cache_misses", "Values read from the database instead.")
CACHE_LEASE_WAITS = Counter("cache_lease_waits", "Reads that waited for another one to fill.")
CACHE_FILLS_REFUSED = Counter(
    "cache_fills_refused", "Values not kept, for a write came between reading and keeping them."
)
CACHE_AVAILABLE = Gauge(
    "cache_available",
    "1 while the cache is in use, 0 while it is out of reach or suspended.",
    multiprocess_mode="livemin",
)
CACHE_AVAILABLE.set(1)  # for the main process, which has no cache and is counted too
POOL_IN_USE = Gauge(
    "db_connections_in_use",
    "Database connections running a statement.",
    multiprocess_mode="livesum",
)
POOL_WAIT = Histogram(
    "db_connection_wait_seconds",
    "How long requests waited for a database connection.",
    buckets=(0.0001, 0.001, 0.01, 0.1, 0.5, 1, 2, 5),
)


def exposition() -> bytes:
    """All metrics of all worker processes, in Prometheus' text format."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return generate_latest(REGISTRY)
    _forget_gauges_of_the_dead(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_gauges_of_the_dead(folder: Path) -> None:
    """What a killed worker had in use, it has no more; its counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        process = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{process}").exists():
            mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]


@cache
def _request_counter(method: str, route: str, status: int) -> Any:
    return REQUESTS.labels(method, route, str(status))


@cache
def _request_timer(route: str) -> Any:
    return REQUEST_SECONDS.labels(route)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request; `route` and `method` are of a limited number."""
    _request_counter(method, route, status).inc()
    _request_timer(route).observe(seconds)
