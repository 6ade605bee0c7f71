"""One run of wrk, and what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LUA = Path(__file__).parent / "lua"
# Longer than any honest answer takes: the slowest peer has 64 clients wait for two workers.
_TIMEOUT_SECONDS = 20
_HANG_SECONDS = 60  # beyond the time asked for, only to end a wrk that hangs

_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}
_PERCENTILE = re.compile(r"^ +(50|99)% +([0-9.]+)(us|ms|s|m|h) *$", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec: +([0-9.]+)$", re.MULTILINE)
_REQUESTS = re.compile(r"^ +([0-9]+) requests in ", re.MULTILINE)
_BAD_STATUS = re.compile(r"^ +Non-2xx or 3xx responses: ([0-9]+)$", re.MULTILINE)
_SOURCES = re.compile(r"^Sources: ([0-9]+) seen, ([0-9]+) wrong$", re.MULTILINE)
_BAD_SOCKET = re.compile(r"^ +Socket errors: (.+)$", re.MULTILINE)


class BrokenLoadError(Exception):
    """Answers that were wrong or missing: their speed means nothing."""


@dataclass(frozen=True)
class Load:
    """What one run measured, if there were any `requests`.

    Attributes:
        p50: the median latency in ms; `p99` likewise.
        wrong_sources: the share of answers of another source than asked for, where it was looked at.
        cpu: processor time per request in ms, of server, PostgreSQL and Redis together, where it was looked at.
    """

    requests: int
    per_second: float
    p50: float
    p99: float
    wrong_sources: float = 0.0
    cpu: float = 0.0


def installed() -> bool:
    """Whether there is a wrk to run."""
    return shutil.which("wrk") is not None


def run(
    url: str, connections: int, seconds: int, script: str | None = None, words: Sequence[str] = ()
) -> Load:
    """Load `url` over kept connections, from one thread.

    Args:
        url: where to; a script may ask for other paths of the same server.
        connections: requests in flight at any time.
        seconds: how long.
        script: a file of the folder `lua`, without its ending; GET `url` when there is none.
        words: what the script is told.

    Raises:
        BrokenLoadError: wrk failed, or anything but success was answered.
    """
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--latency"]
    command += ["--duration", f"{seconds}s", "--timeout", f"{_TIMEOUT_SECONDS}s"]
    command += ["--script", str(LUA / f"{script}.lua")] if script else []
    done = subprocess.run(
        [*command, url, *(["--", *words] if words else [])],
        capture_output=True,
        text=True,
        timeout=seconds + _HANG_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise BrokenLoadError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return parse(done.stdout)


def parse(output: str) -> Load:
    """Read what wrk printed. Raises BrokenLoadError for any answer but success, and for other text."""
    if found := _BAD_STATUS.search(output):
        raise BrokenLoadError(f"{found[1]} answers were no success:\n{output}")
    if found := _BAD_SOCKET.search(output):
        raise BrokenLoadError(f"Connections failed ({found[1]}):\n{output}")
    rate, requests = _RATE.search(output), _REQUESTS.search(output)
    latency = {
        percent: float(number) * _MILLISECONDS[unit]
        for percent, number, unit in _PERCENTILE.findall(output)
    }
    if not rate or not requests or set(latency) != {"50", "99"}:
        raise BrokenLoadError(f"This is no report of wrk:\n{output}")
    sources = _SOURCES.search(output)
    wrong = int(sources[2]) / max(1, int(sources[1])) if sources else 0.0
    return Load(int(requests[1]), float(rate[1]), latency["50"], latency["99"], wrong)
