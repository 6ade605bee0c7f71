"""What is asked of every variant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SEED_ROWS = 3
# More than any variant reads in half a minute: `items.lua` asks for each task once.
MANY_ROWS = 300_000


@dataclass(frozen=True)
class Workload:
    """One kind of work.

    Attributes:
        title: what it is called in tables.
        rows: tasks in the table when a run begins.
        source: what a read must answer as its source before the run is let loose; None for writes and mixes.
        path: what is asked for where there is no script.
        script: the wrk script that asks.
        expired: on a Redis whose clock makes every value expire at once, see `stage`.
        writes: the table is filled anew after each run.
    """

    title: str
    rows: int = SEED_ROWS
    source: Literal["cache", "database"] | None = None
    path: str = "/tasks"
    script: str | None = None
    expired: bool = False
    writes: bool = False


WORKLOADS = {
    "list-cached": Workload("GET /tasks, cached", source="cache"),
    "item-cached": Workload("GET /tasks/1, cached", source="cache", path="/tasks/1"),
    "list-database": Workload("GET /tasks, from the database", source="database", expired=True),
    "item-database": Workload(
        "GET /tasks/<id>, each id once, from the database",
        rows=MANY_ROWS,
        source="database",
        path=f"/tasks/{MANY_ROWS}",
        script="items",
    ),
    "post": Workload("POST /tasks", script="post", writes=True),
    "mix": Workload("90/10 mix", script="mix", writes=True),
    "list-cached-100": Workload("100 rows, cached", rows=100, source="cache"),
    "list-database-100": Workload(
        "100 rows, from the database", rows=100, source="database", expired=True
    ),
    "list-cached-1000": Workload("1,000 rows, cached", rows=1000, source="cache"),
    "list-database-1000": Workload(
        "1,000 rows, from the database", rows=1000, source="database", expired=True
    ),
}
