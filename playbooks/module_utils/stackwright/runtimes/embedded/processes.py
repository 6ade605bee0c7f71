"""Processes of this machine: whether those that a launcher noted live, their end, and the user they run as."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


class UnprivilegedError(Exception):
    """The change of user is not possible here; the message says why and what to do."""


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

    def group(self) -> list[int]:
        """It and those it started that stayed in its process group, alive now."""
        return [pid for pid in psutil.pids() if self._has(pid)] if self.boot == boot_id() else []

    def _has(self, pid: int) -> bool:
        with suppress(psutil.Error, OSError):
            return (
                os.getpgid(pid) == self.pid
                and (start_ticks(pid) or 0) >= self.ticks
                and psutil.Process(pid).exe() == self.binary
            )
        return False

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
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none or it has ended."""
    try:
        process = psutil.Process(pid)
        # The time since boot alone: that of day moves whenever the clock is set.
        seconds = process.create_time() - psutil.boot_time()
        ended = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return None
    return None if ended else round(seconds * os.sysconf("SC_CLK_TCK"))


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process's working directory is ``folder``, and not one removed that was there before."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", folder)
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Ask until the condition holds; False when it did not within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
    return True


def end_group(started: Started, patience: float) -> None:
    """Ask a process and its children to stop, wait ``patience`` seconds, then kill what is left."""
    for number in (started.stop_signal, signal.SIGKILL):
        for pid in started.group():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if wait_until(lambda: not started.group(), patience):
            return


def process_user(name: str) -> int | None:
    """Id of the user that processes run as: None when we are not root and stay who we are.

    Raises UnprivilegedError when the user does not exist.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UnprivilegedError(
            f"embedded_user: there is no user {name}; set it to one that exists"
        ) from None


def unprivileged_prefix(uid: int | None) -> list[str]:
    """Words to put before a command that runs as ``uid``; none when ``uid`` is None: PostgreSQL refuses root.

    Raises UnprivilegedError where setpriv is missing.
    """
    if uid is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UnprivilegedError(
            "running as root needs setpriv (package util-linux), or run as an ordinary user"
        )
    group = pwd.getpwuid(uid).pw_gid
    return [setpriv, f"--reuid={uid}", f"--regid={group}", "--clear-groups", "--"]
