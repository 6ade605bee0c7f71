"""Wait until every program runs and is healthy, or say which one is not, why, and what it printed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from .control import Control, ProcessInfo
from .database import migrate
from .errors import ProgramError
from .folder import Folder
from .logs import last_lines
from .probes import probe
from .program import Program

POLL_SECONDS = 0.05
MOST_ATTEMPTS = 3
_LOG_LINES = 15


def wait_healthy(
    folder: Folder,
    control: Control,
    programs: Sequence[Program],
    held: Sequence[str],
    end: float,
    sizes: Mapping[str, int],
) -> list[str]:
    """Wait until ``end`` (time.monotonic()). Returns the migrations applied. Raises ProgramError.

    Those ``held`` are started once the database has its schema and roles: before, it would refuse them.
    ``sizes`` (bytes) are those of the programs' logs before the start: what was there before explains nothing.
    PostgreSQL is healthy once it takes connections over TCP and its schema is current.
    """
    applied: list[str] = []
    reasons = {program.name: "not asked yet" for program in programs}
    ready: set[str] = set()
    attempts: dict[str, set[int]] = {program.name: set() for program in programs}
    while True:
        infos = control.processes()
        for program in programs:
            if program.name in held:
                continue
            info = infos[program.name]
            attempts[program.name] |= {info.since} - {0}
            _give_up_on_hopeless(folder, info, len(attempts[program.name]), sizes)
            if program.name not in ready and info.occupies:
                reasons[program.name] = probe(program)
                if not reasons[program.name]:
                    applied += migrate(folder, program) if program.database else []
                    ready.add(program.name)
        if held and all(one.name in ready for one in programs if one.database):
            for name in held:
                control.start(name)
            held = []
        late = [
            program.name
            for program in programs
            if program.name not in ready or not _runs(infos, program)
        ]
        if not late:
            return applied
        if time.monotonic() >= end:
            told = (
                f"{name} is {infos[name].state}: {reasons[name] or 'not long enough'}"
                for name in late
            )
            raise ProgramError(
                f"not healthy in time: {'; '.join(told)}{_tails(folder, late, sizes)}"
            )
        time.sleep(POLL_SECONDS)


def _runs(infos: dict[str, ProcessInfo], program: Program) -> bool:
    return infos[program.name].state == "RUNNING"


def _give_up_on_hopeless(
    folder: Folder, info: ProcessInfo, attempts: int, sizes: Mapping[str, int]
) -> None:
    """What ends again and again will not get better by waiting. supervisord goes on trying for some minutes."""
    ended = info.state in ("FATAL", "UNKNOWN") or (info.state == "STOPPED" and attempts > 0)
    if ended or attempts > MOST_ATTEMPTS or (attempts == MOST_ATTEMPTS and info.state == "BACKOFF"):
        reason = info.error or "its process ends again and again"
        tails = _tails(folder, [info.name], sizes)
        raise ProgramError(f"{info.name} is {info.state}: {reason}{tails}")


def _tails(folder: Folder, names: Sequence[str], sizes: Mapping[str, int]) -> str:
    """What the programs printed since, and how things stand after a failure."""
    text = "\nThe other programs keep running. Correct the cause and start again, or stop the environment."
    for name in names:
        lines = last_lines(folder, name, _LOG_LINES, sizes[name])
        text += f"\nlast lines of {folder.log(name)}:"
        text += "".join(f"\n  {line}" for line in lines) or " nothing since this start"
    return text
