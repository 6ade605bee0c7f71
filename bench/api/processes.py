"""Memory and processor time of a server, which is a process and all processes below it, and of the machine.

Memory is PSS, the proportional set size of /proc/<pid>/smaps_rollup: a page that several processes map counts for
each by its share, so the sum over a server's processes counts it once. Summed RSS would count the interpreter's pages,
which forked workers share, once per worker.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
_KIB_PER_MB = 1_000_000 / 1024


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on, the state; none if the process has ended."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The second, the name in parentheses, may hold anything, blanks and parentheses too.
    return text.rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """`root` and all its descendants."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        if stat := _stat(int(folder.name)):
            children[int(stat[1])].append(int(folder.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def cpu_ticks(root: int) -> int:
    """Processor time of the tree so far, that of processes which have ended included, in ticks of a TICKS-th second."""
    return sum(sum(map(int, stat[11:15])) for pid in tree(root) if (stat := _stat(pid)))


def memory(root: int) -> dict[str, float]:
    """`Pss` and `Rss` of the tree in MB, and the number of its `processes`."""
    sums = {"Pss": 0.0, "Rss": 0.0}
    pids = tree(root)
    for pid in pids:
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for name, _, rest in (line.partition(":") for line in lines):
            if name in sums:
                sums[name] += int(rest.split()[0]) / _KIB_PER_MB
    return {**sums, "processes": float(len(pids))}


def busy_share(seconds: float) -> float:
    """The share of all processors' time that went into anything, over `seconds`."""
    before = _machine_ticks()
    time.sleep(seconds)
    busy, total = (after - b for after, b in zip(_machine_ticks(), before, strict=True))
    return busy / max(1, total)


def _machine_ticks() -> tuple[int, int]:
    """Busy and all ticks of all processors: idle is the fourth field of /proc/stat, waiting for disks the fifth."""
    text = (PROC / "stat").read_text(encoding="ascii")
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
