"""What /proc tells about processes (Linux, proc(5)), and ending those that are ours."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Started:
    """A process as its launcher noted it.

    ``ticks`` and ``boot`` tell it from another one that later has the same number.
    """

    pid: int
    ticks: int
    boot: str
    port: int
    binary: str
    fingerprint: str
    version: str
    stop_signal: int

    @property
    def lives(self) -> bool:
        """Whether it is still that process."""
        return self.boot == boot_id() and start_ticks(self.pid) == self.ticks

    def family(self) -> list[int]:
        """It and those it started that stayed in its process group, alive now."""
        if self.boot != boot_id():
            return []
        return [
            pid
            for pid in process_ids()
            if _group(pid) == self.pid
            and (start_ticks(pid) or 0) >= self.ticks
            and _is_binary(pid, self.binary)
        ]

    def write(self, path: Path) -> None:
        """Note it, all of it or nothing."""
        temporary = path.with_suffix(".next")
        temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")
        temporary.replace(path)


def read_started(path: Path) -> Started | None:
    """What the launcher noted; None where there is nothing usable."""
    try:
        return Started(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def boot_id() -> str:
    """A text that is new with every start of the machine."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def process_ids() -> Iterator[int]:
    """Numbers of all processes."""
    return (int(entry) for entry in os.listdir(PROC) if entry.isdigit())


def _fields(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on; the second, the name, may hold anything."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none or it has ended."""
    fields = _fields(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def _group(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[2]) if fields and fields[0] not in "ZX" else 0


def _is_binary(pid: int, binary: str) -> bool:
    try:
        return os.readlink(PROC / str(pid) / "exe").removesuffix(" (deleted)") == binary
    except OSError:
        return False


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process's working directory is ``folder``."""
    try:
        return os.path.samefile(PROC / str(pid) / "cwd", folder)
    except OSError:
        return False


def command_of(pid: int) -> list[bytes]:
    """Words of a process's command line; none when it has ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Ask until the condition holds; False when it did not within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
    return True


def end_family(started: Started, patience: float) -> None:
    """Ask a process and its children to stop, wait ``patience`` seconds, then kill what is left."""
    for number in (started.stop_signal, signal.SIGKILL):
        for pid in started.family():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if wait_until(lambda: not started.family(), patience):
            return
