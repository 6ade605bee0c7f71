"""What a start would do to programs that already run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .control import Control, ProcessInfo
from .database import keeps_owner_out
from .fingerprint import fingerprint
from .folder import Folder
from .processes import read_started, wait_until
from .program import Program

_NOTE_SECONDS = 3.0


@dataclass(frozen=True)
class Changes:
    """Names of programs in start order.

    ``new`` and ``gone`` are so in the configuration, ``changed`` run under another one, ``outdated`` are processes
    other than a new one would be, ``down`` do not run.
    """

    new: list[str]
    changed: list[str]
    gone: list[str]
    outdated: list[str]
    down: list[str]

    @property
    def started(self) -> list[str]:
        """Programs that had no process."""
        return [*self.new, *self.down]

    @property
    def restarted(self) -> list[str]:
        """Programs that had one."""
        return [*self.changed, *self.outdated]


def find_changes(folder: Folder, control: Control, programs: Sequence[Program]) -> Changes:
    """Compare what runs with what is rendered. Changes nothing. Raises EmbeddedError."""
    new, changed, gone = control.reread()
    infos = control.processes()
    known = [program for program in programs if program.name not in (*new, *changed)]
    down = [program.name for program in known if not infos[program.name].occupies]
    outdated = [
        program.name
        for program in known
        if program.name not in down and not _is_current(folder, program, infos[program.name])
    ]
    return Changes(new, changed, gone, outdated, down)


def _is_current(folder: Folder, program: Program, info: ProcessInfo) -> bool:
    def noted() -> bool:
        started = read_started(folder.record(program.name))
        return started is not None and started.pid == info.pid

    # A process that supervisord has just replaced may not have been noted yet.
    wait_until(noted, _NOTE_SECONDS if info.uptime < _NOTE_SECONDS else 0.0)
    started = read_started(folder.record(program.name))
    return (
        started is not None
        and started.pid == info.pid
        and started.fingerprint == fingerprint(program)
        and not (program.database and keeps_owner_out(folder, program))
    )
