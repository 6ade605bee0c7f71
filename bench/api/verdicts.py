"""The aims, and whether they are met: ratios, p99 and memory against the peers."""

from __future__ import annotations

from bench.api.results import Results
from bench.api.variants import OURS
from bench.api.workloads import WORKLOADS

# Times as many requests per second as (a), as (b), as the better of (c) and (d), at these connections.
AIM_CONNECTIONS = (16, 64)
AIMS = {
    "list-cached": (5.0, 4.0, 1.5),
    "item-cached": (5.0, 4.0, 1.5),
    "list-database": (15.0, 4.5, 1.05),
    "post": (13.0, 6.0, 1.1),
    "mix": (8.0, 3.5, 1.3),
    "list-cached-1000": (4.0, 7.0, 1.0),
    "list-database-1000": (3.0, 7.0, 1.0),
}
AGAINST = {
    "against (a)": ("seed",),
    "against (b)": ("flask",),
    "against the better of (c), (d)": ("sqlmodel", "asyncpg"),
}
PEERS = tuple(name for names in AGAINST.values() for name in names)


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def _measured(
    results: Results, workload: str, connections: int, names: tuple[str, ...]
) -> list[str]:
    """Those of the variants that were measured there, none if ours was not."""
    if not results.has(workload, connections, OURS):
        return []
    return [name for name in names if results.has(workload, connections, name)]


def ratios(results: Results, connections: tuple[int, ...] = AIM_CONNECTIONS) -> list[list[str]]:
    """The table of the aims; the first row is its header. Cells of what was not measured are empty."""
    rows = []
    for workload, aims in AIMS.items():
        for count in connections:
            cells = [
                _ratio(results, workload, count, names, aim)
                for names, aim in zip(AGAINST.values(), aims, strict=True)
            ]
            if any(cells):
                rows.append([WORKLOADS[workload].title, str(count), *cells])
    return [["work", "connections", *AGAINST], *rows]


def _ratio(
    results: Results, workload: str, connections: int, names: tuple[str, ...], aim: float
) -> str:
    measured = _measured(results, workload, connections, names)
    if not measured:
        return ""
    ours = results.median(workload, connections, OURS).per_second
    best = max(results.median(workload, connections, name).per_second for name in measured)
    # Rounded down to what is shown: 1.499 is no 1.50.
    ratio = int(100 * ours / best) / 100
    return f"{ratio:.2f}x, aim {aim:g}x: {_verdict(ratio >= aim)}"


def latencies(results: Results, connections: tuple[int, ...] = AIM_CONNECTIONS) -> list[list[str]]:
    """p99 beside the lowest of the peers, never to be above it; the first row is the header."""
    rows = [["work", "connections", "p99 here", "lowest p99 of the peers", ""]]
    for workload, described in WORKLOADS.items():
        for count in connections:
            peers = _measured(results, workload, count, PEERS)
            if not peers:
                continue
            ours = results.median(workload, count, OURS).p99
            lowest, name = min((results.median(workload, count, peer).p99, peer) for peer in peers)
            shown = [f"{ours:.2f} ms", f"{lowest:.2f} ms ({name})"]
            rows.append([described.title, str(count), *shown, _verdict(ours <= lowest)])
    return rows


def memory(results: Results) -> list[list[str]]:
    """Memory of every variant, ours at most any other's; the first row is the header."""
    rows = [["server", "processes", "PSS", "RSS, summed", ""]]
    ours = results.memory.get(OURS)
    for name, held in results.memory.items():
        verdict = _verdict(ours["Pss"] <= held["Pss"]) if ours and name != OURS else ""
        figures = [f"{held['processes']:.0f}", f"{held['Pss']:.0f} MB", f"{held['Rss']:.0f} MB"]
        rows.append([name, *figures, verdict])
    return rows
