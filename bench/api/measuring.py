"""The runs: every variant in turn at every workload, round after round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bench.api import correctness, limits, processes
from bench.api.results import Cell, Plan, Results
from bench.api.running import Runner
from bench.api.stage import Stage
from bench.api.variants import LIMITS, VARIANTS, VariantServer
from bench.api.workloads import SEED_ROWS, WORKLOADS, Workload
from bench.api.wrk import BrokenLoadError

# On the fast clock, Redis reads the time once for commands that it finds waiting together, so that a few of them still
# see what the one before has set: 2 % were seen on a busy machine.
_MOST_WRONG_SOURCES = 0.05
_WARM_SECONDS = 1
_MEMORY_CONNECTIONS = 64


class Bench:
    """One benchmark on one stage; `folder` takes the servers' logs."""

    def __init__(self, stage: Stage, plan: Plan, folder: Path) -> None:
        self.results = Results()
        self._stage, self._plan = stage, plan
        self._payloads = limits.Payloads(folder / "payloads")
        self._runner = Runner(stage, self._payloads, folder)

    def run(self) -> Results:
        """Measure everything. Raises BrokenLoadError for any wrong answer."""
        if {*LIMITS, limits.REDIS} & {*self._plan.variants}:
            self._payloads.write(self._stage)
        for number in range(self._plan.rounds):
            if usual := [n for n in self._plan.workloads if not WORKLOADS[n].expired]:
                self._round(number, usual, expired=False)
            # Each by itself, since the fast clock does not run for long.
            for workload in self._plan.workloads:
                if WORKLOADS[workload].expired:
                    self._round(number, [workload], expired=True)
        for variant in self._plan.variants:
            if variant in VARIANTS:
                self._remember(variant)
        return self.results

    def _round(self, number: int, workloads: Iterable[str], expired: bool) -> None:
        if expired:
            self._stage.expiring.start()
        with self._runner.running(self._plan.variants, expired) as servers:
            names = [*servers]
            turn = number % max(1, len(names))
            # Another one begins each time, so that none always follows the same.
            order = names[turn:] + names[:turn]
            for workload in workloads:
                for connections in self._plan.connections:
                    for variant in order:
                        self._measure(Cell(workload, connections, variant), servers[variant])
                    self._measure_redis(Cell(workload, connections, limits.REDIS))
        if expired:
            self._stage.expiring.stop()

    def _measure(self, cell: Cell, server: VariantServer) -> None:
        workload = WORKLOADS[cell.workload]
        if cell.variant in LIMITS:
            if limits.is_limited(workload):
                self._load(cell, server, f"/{workload.rows}")
            return
        self._stage.fresh(workload.rows, workload.expired, changed=False)
        correctness.prime(server, workload)
        self._warm_up(cell, server, workload)
        if workload.script:
            self._stage.fresh(workload.rows, workload.expired, changed=workload.writes)
        self._load(cell, server, workload.path, workload.script)
        if workload.writes:
            self._stage.fresh(workload.rows, workload.expired)

    def _load(
        self, cell: Cell, server: VariantServer, path: str, script: str | None = None
    ) -> None:
        rows, seconds = str(WORKLOADS[cell.workload].rows), self._plan.seconds
        before = self._cpu_ticks(server)
        load = server.load(path, cell.connections, seconds, script, rows)
        used = self._cpu_ticks(server) - before
        if not load.requests:
            raise BrokenLoadError(
                f"{server.variant.title}, {cell.workload}, {cell.connections} connections:"
                f" nothing was answered within {seconds} s"
            )
        cpu = 1000 * used / processes.TICKS / load.requests
        self.results.add(cell, replace(load, cpu=cpu))

    def _cpu_ticks(self, server: VariantServer) -> int:
        assert server.process
        return sum(map(processes.cpu_ticks, [server.process.pid, *self._stage.roots()]))

    def _warm_up(self, cell: Cell, server: VariantServer, workload: Workload) -> None:
        """One second of the same, in which the source of every answer is looked at where it is always the same."""
        script = workload.script or "sources"
        words = [str(workload.rows if workload.script else workload.source)]
        load = server.load(workload.path, cell.connections, _WARM_SECONDS, script, *words)
        if load.wrong_sources > _MOST_WRONG_SOURCES:
            raise BrokenLoadError(
                f"{server.variant.title}, {workload.title}, {cell.connections} connections:"
                f" {load.wrong_sources:.1%} of the answers did not come from the {workload.source}\n"
                f"{server.log_tail}"
            )

    def _measure_redis(self, cell: Cell) -> None:
        workload = WORKLOADS[cell.workload]
        if limits.REDIS in self._plan.variants and limits.is_limited(workload):
            payload = self._payloads.of(workload.rows).read_bytes()
            seconds = self._plan.seconds
            load = limits.redis_benchmark(self._stage, payload, cell.connections, seconds)
            self.results.add(cell, load)

    def _remember(self, variant: str) -> None:
        """Load a variant that runs alone, and note what it then holds: pages shared with others would count less."""
        with self._runner.running([variant], expired=False) as servers:
            server = servers[variant]
            server.load("", _MEMORY_CONNECTIONS, self._plan.seconds, "mix", str(SEED_ROWS))
            assert server.process
            self.results.memory[variant] = processes.memory(server.process.pid)
