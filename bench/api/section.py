"""The benchmark's tables, for the terminal and for ``docs/benchmarks.md``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench import page
from bench.api import limits, verdicts
from bench.api.results import Cell, Plan, Results
from bench.api.variants import LIMITS, OURS, VARIANTS
from bench.api.workloads import WORKLOADS

METHOD = """\
`make bench-api` starts each server itself: two server processes, with PostgreSQL, Redis and wrk (one thread) on the same
cores. All use one PostgreSQL (SCRAM; fsync off, so that writes measure code and not a disk), one table and one Redis,
emptied before each run. In every round each server takes its turn at each workload; figures are medians over the rounds,
and differences under 15 % mean nothing. Before it is measured each server is asked to create, read, change, refuse and
delete, and any answer but success ends the benchmark.

- This API runs with its defaults, the seed's log lines written to a file. Of the peers only (a) logs a line; uvicorn's
  access log is off.
- *From the database*: the same redis-server with its wall clock sped up, so that a value has expired by the next
  command (at least 95 % of the answers are checked to come from the database): a request gets nil, runs its SELECT, and sends the value. Leases expire as well, so parallel misses share
  no SELECT here, though on a cold key they do. *Each id once* needs no such thing: no task is asked for twice.
- *POST* deletes the cached list every time; the table is filled anew after each run. *90/10 mix*: 45 % list, 45 % item,
  10 % PUT, which deletes the list and the task from the cache.
- Most of the distance to (a) at misses and writes is its connection per request, which costs PostgreSQL and client some
  5 ms of CPU, and not the speed of its code.
- *CPU* is the processor time of server, PostgreSQL and Redis per request; other work on the machine changes
  it less than the rate, though not in runs of a few requests, where those still open at the end weigh.
- Why aims are missed (CPU per request, 2026-11-24). *Cached*: sending to Redis and receiving from it, in Python, is the
  largest part left; the seed's two log lines take 11 µs. *POST* and *mix*: of 470 µs PostgreSQL takes 116, the lease's two
  round trips 53 (the peer's one takes 17), the API 303. *1,000 rows from the database*: PostgreSQL's 2.4 ms are the same for all;
  filling runs in a script, where Redis copies the 200 KB once more: 0.3 ms by an ordinary clock, and 3 ms by the fast one used
  here. *Memory*: after reads by 16 connections it is 82 MB; the mix at 64 connections wakes more threads.
- Memory is the PSS of all processes of a server that runs alone, after the mix at 64 connections."""

Form = Callable[[Sequence[page.Row]], list[str]]


def _servers() -> list[str]:
    shown = [f"- `{name}`: {variant.title}" for name, variant in (VARIANTS | LIMITS).items()]
    return [*shown, f"- `{limits.REDIS}`: limit: GET of the same payload, no HTTP"]


def _figures(results: Results) -> list[list[str]]:
    """Every median with its range, in the order of the workloads."""
    rows = [
        [
            "work",
            "connections",
            "server",
            "requests/s",
            "min - max",
            "p50",
            "p99",
            "CPU",
            "here/this",
        ]
    ]
    for workload, described in WORKLOADS.items():
        cells = [cell for cell in results.loads if cell.workload == workload]
        for cell in sorted(cells, key=lambda cell: cell.connections):
            rows.append([described.title, str(cell.connections), *_row(results, cell)])
    return rows


def _row(results: Results, cell: Cell) -> list[str]:
    load = results.median(cell.workload, cell.connections, cell.variant)
    rates = [run.per_second for run in results.loads[cell]]
    spread = f"{min(rates):,.0f} - {max(rates):,.0f}" if len(rates) > 1 else ""
    ratio = ""
    if cell.variant != OURS and results.has(cell.workload, cell.connections, OURS):
        ours = results.median(cell.workload, cell.connections, OURS)
        ratio = f"{ours.per_second / load.per_second:.2f}x"
    cpu = f"{load.cpu:.3f} ms" if load.cpu else ""
    latency = [f"{load.p50:.2f} ms", f"{load.p99:.2f} ms", cpu]
    return [cell.variant, f"{load.per_second:,.0f}", spread, *latency, ratio]


def text(results: Results, plan: Plan, machine: str) -> str:
    """All tables in columns."""
    return "\n".join(["", machine, _runs(plan), *_tables(results, page.columns, "")])


def markdown(results: Results, plan: Plan, machine: str) -> str:
    """The section of the page."""
    head = [METHOD, "", "The servers:", "", *_servers(), "", f"{machine}. {_runs(plan)}"]
    return "\n".join([*head, *_tables(results, page.markdown, "### ")])


def _runs(plan: Plan) -> str:
    return f"{plan.rounds} rounds of {plan.seconds} s per run."


def _tables(results: Results, form: Form, mark: str) -> list[str]:
    lines: list[str] = []
    for title, rows in (
        ("Requests per second against the peers, and the aims", verdicts.ratios(results)),
        ("p99 against the peers", verdicts.latencies(results)),
        ("Memory", verdicts.memory(results)),
        ("All figures", _figures(results)),
    ):
        if len(rows) > 1:
            lines += ["", f"{mark}{title}", "", *form(rows)]
    return lines
