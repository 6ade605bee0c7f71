"""Wait until every program runs and is healthy, or say which one is not, why, and what it printed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .control import Control, ProcessInfo
from .database import migrate
from .errors import EmbeddedError
from .folder import Folder
from .logs import last_lines
from .probes import probe
from .program import Program

POLL_SECONDS = 0.05
MOST_ATTEMPTS = 3
_LOG_LINES = 15


def wait_healthy(
    folder: Folder, control: Control, programs: Sequence[Program], end: float
) -> list[str]:
    """Wait until ``end`` (time.monotonic()). Returns the migrations applied. Raises EmbeddedError.

    PostgreSQL is healthy once it takes connections over TCP and its schema is current.
    """
    applied: list[str] = []
    reasons = {program.name: "not asked yet" for program in programs}
    ready: set[str] = set()
    attempts: dict[str, set[int]] = {program.name: set() for program in programs}
    while True:
        infos = control.processes()
        for program in programs:
            info = infos[program.name]
            attempts[program.name] |= {info.since} - {0}
            _give_up_on_hopeless(folder, info, len(attempts[program.name]))
            if program.name not in ready and info.occupies:
                reasons[program.name] = probe(program)
                if not reasons[program.name]:
                    applied += migrate(folder, program) if program.database else []
                    ready.add(program.name)
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
            raise EmbeddedError(f"not healthy in time: {'; '.join(told)}{_tails(folder, late)}")
        time.sleep(POLL_SECONDS)


def _runs(infos: dict[str, ProcessInfo], program: Program) -> bool:
    return infos[program.name].state == "RUNNING"


def _give_up_on_hopeless(folder: Folder, info: ProcessInfo, attempts: int) -> None:
    """What ends again and again will not get better by waiting. supervisord goes on trying for some minutes."""
    ended = info.state in ("FATAL", "UNKNOWN") or (info.state == "STOPPED" and attempts > 0)
    if ended or attempts > MOST_ATTEMPTS or (attempts == MOST_ATTEMPTS and info.state == "BACKOFF"):
        reason = info.error or "its process ends again and again"
        raise EmbeddedError(f"{info.name} is {info.state}: {reason}{_tails(folder, [info.name])}")


def _tails(folder: Folder, names: Sequence[str]) -> str:
    """What the programs printed, and how things stand after a failure."""
    text = "\nThe other programs keep running. Correct the cause and start again, or stop the environment."
    for name in names:
        lines = last_lines(folder, name, _LOG_LINES)
        text += f"\nlast lines of {folder.log(name)}:"
        text += "".join(f"\n  {line}" for line in lines) or " it is empty"
    return text
