"""How the programs of an environment are."""

from __future__ import annotations

from dataclasses import dataclass

from .control import Control, ProcessInfo
from .daemon import find_daemon
from .folder import Folder
from .probes import api_version, probe
from .processes import read_started
from .program import Program, load_programs


@dataclass(frozen=True)
class Row:
    """One program; ``uptime`` in seconds. What does not run has no ``health``, ``pid`` and ``version``."""

    service: str
    state: str
    health: str
    pid: int | None
    uptime: int
    port: int
    version: str

    @property
    def line(self) -> str:
        """For people, in columns."""
        health = f" ({self.health})" if self.health else ""
        pid = f"pid {self.pid}, up {_duration(self.uptime)}" if self.pid else ""
        return f"{self.service:<12} {self.state + health:<21} 127.0.0.1:{self.port:<6} {self.version:<8} {pid}".rstrip()


def status(folder: Folder) -> list[Row]:
    """One row per program in start order. Raises EmbeddedError when nothing is rendered, or it is another user's."""
    programs = load_programs(folder)
    infos = Control(folder.socket).processes() if find_daemon(folder) else {}
    return [_row(folder, program, infos.get(program.name)) for program in programs]


def _row(folder: Folder, program: Program, info: ProcessInfo | None) -> Row:
    if info is None or not info.occupies:
        return Row(program.name, info.state if info else "STOPPED", "", None, 0, program.port, "")
    trouble = probe(program)
    version = api_version(program.port) if program.probe == "http" and not trouble else ""
    noted = read_started(folder.record(program.name))
    if noted is not None and noted.pid == info.pid:
        version = version or noted.version
    health = "unhealthy" if trouble else "healthy"
    return Row(program.name, info.state, health, info.pid, info.uptime, program.port, version)


def _duration(seconds: int) -> str:
    """``93784`` → ``1d 02:03:04``."""
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}d {clock}" if days else clock
