"""Start an environment's programs, or bring running ones up to date, touching only what has changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...secrets.masking import Masker
from .changes import Changes, find_changes
from .control import Control
from .daemon import answers, end_daemon, find_daemon, launch_daemon, only_one
from .database import write_password_file
from .errors import EmbeddedError
from .folder import Folder
from .health import wait_healthy
from .logs import size_of
from .ports import check_ports
from .processes import read_started
from .program import Program, load_programs
from .staging import Staging
from .stop import end_leftovers


@dataclass(frozen=True)
class Outcome:
    """Names of the programs concerned, what was done to the database (see `migrate`), and the seconds it took."""

    started: list[str]
    restarted: list[str]
    stopped: list[str]
    migrations: list[str]
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.started or self.restarted or self.stopped or self.migrations)


def start(folder: Folder, timeout: float, check: bool = False) -> Outcome:
    """Make every program run as it is rendered, and healthy. Raises EmbeddedError, secrets masked.

    ``timeout`` is in seconds. With ``check`` it is only said what would be done (migrations not included).
    """
    begin = time.monotonic()
    programs = load_programs(folder)
    try:
        if check:
            changes = _foreseen(folder, programs)
            return Outcome(
                changes.started, changes.restarted, changes.gone, [], time.monotonic() - begin
            )
        folder.prepare()
        with only_one(folder, timeout):
            data = [Path(program.database["PGDATA"]) for program in programs if program.database]
            Staging(folder, programs[0]).fill(data)
            for program in programs:
                if program.database:
                    write_password_file(folder, program)
            control = Control(folder.socket)
            sizes = {program.name: size_of(folder.log(program.name)) for program in programs}
            changes = _apply(folder, control, programs, timeout)
            begun = (*changes.started, *changes.restarted)
            held = [one.name for one in programs if one.needs_database and one.name in begun]
            migrations = wait_healthy(folder, control, programs, held, begin + timeout, sizes)
    except EmbeddedError as error:
        secrets = [secret for program in programs for secret in program.secrets()]
        raise type(error)(Masker(secrets).text(str(error))) from None
    seconds = time.monotonic() - begin
    return Outcome(changes.started, changes.restarted, changes.gone, migrations, seconds)


def _all_new(programs: Sequence[Program]) -> Changes:
    return Changes([program.name for program in programs], [], [], [], [])


def _foreseen(folder: Folder, programs: Sequence[Program]) -> Changes:
    daemon = find_daemon(folder)
    if daemon is None or not answers(folder, daemon):
        return _all_new(programs)
    return find_changes(folder, Control(folder.socket), programs)


def _apply(
    folder: Folder, control: Control, programs: Sequence[Program], timeout: float
) -> Changes:
    """Stop what changes, and start all but what needs the database."""
    daemon = find_daemon(folder)
    if daemon is not None and not answers(folder, daemon):
        # Its socket was removed under it, and there is no other way to reach it.
        end_daemon(folder, daemon, timeout)
        daemon = None
    if daemon is None:
        end_leftovers(folder, timeout)
        check_ports(programs)
        launch_daemon(folder)
        return _all_new(programs)
    changes = find_changes(folder, control, programs)
    check_ports(program for program in programs if _needs_port(folder, control, changes, program))
    running = {name for name, info in control.processes().items() if info.state != "STOPPED"}
    for name in (*changes.gone, *reversed([*changes.restarted, *changes.down])):
        if name in running:
            control.stop(name, timeout)
    for name in (*changes.gone, *changes.changed):
        control.remove(name)
    for program in programs:
        if program.name in (*changes.new, *changes.changed):
            control.add(program.name)
        elif program.name in (*changes.outdated, *changes.down) and not program.needs_database:
            control.start(program.name)
    return changes


def _needs_port(folder: Folder, control: Control, changes: Changes, program: Program) -> bool:
    """Whether the program will be started on a port that it does not hold already."""
    if program.name in changes.started:
        return True
    if program.name not in changes.restarted:
        return False
    noted = read_started(folder.record(program.name))
    return noted is None or not noted.lives or noted.port != program.port
