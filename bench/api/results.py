"""What was to be measured, and what came out."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.api.wrk import Load


@dataclass(frozen=True)
class Plan:
    """Names of workloads and variants, connections of wrk, rounds, and seconds per run."""

    workloads: Sequence[str]
    variants: Sequence[str]
    connections: Sequence[int]
    rounds: int
    seconds: int


@dataclass(frozen=True)
class Cell:
    """A figure's place: a workload's name, connections, a variant's name."""

    workload: str
    connections: int
    variant: str


@dataclass
class Results:
    """All runs by their place, and by variant the memory in MB: `Pss`, `Rss`, and the number of `processes`."""

    loads: defaultdict[Cell, list[Load]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def add(self, cell: Cell, load: Load) -> None:
        """Keep one run, and show it to who waits."""
        self.loads[cell].append(load)
        print(
            f"{cell.workload:20}{cell.connections:4}  {cell.variant:16}"
            f"{load.per_second:9,.0f}/s  p50 {load.p50:8.2f} ms  p99 {load.p99:8.2f} ms"
            f"  CPU {load.cpu:7.3f} ms",
            flush=True,
        )

    def has(self, workload: str, connections: int, variant: str) -> bool:
        """Whether this was measured."""
        return bool(self.loads.get(Cell(workload, connections, variant)))

    def median(self, workload: str, connections: int, variant: str) -> Load:
        """The medians of all runs in one place, each figure by itself."""
        loads = self.loads[Cell(workload, connections, variant)]
        return Load(
            sum(load.requests for load in loads),
            statistics.median(load.per_second for load in loads),
            statistics.median(load.p50 for load in loads),
            statistics.median(load.p99 for load in loads),
            cpu=statistics.median(load.cpu for load in loads),
        )
