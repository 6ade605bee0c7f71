"""Start an environment's programs, bring running ones up to date touching only what has changed, or stop them all."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...diagnosis.ports import port_owner
from ...secrets.masking import Masker
from .database import keeps_owner_out, write_password_file
from .folder import EmbeddedError, Folder, size_of
from .health import wait_healthy
from .processes import Started, end_group, read_started, wait_until
from .programs import HOST, Program, fingerprint, load_programs
from .staging import Staging, clear_staging
from .supervisor import (
    Control,
    ProcessInfo,
    answers,
    end_daemon,
    find_daemon,
    launch_daemon,
    only_one,
)

PORT_SETTINGS = {"postgres": "embedded_db_port", "redis": "embedded_cache_port", "http": "api_port"}
KEPT = {"pgpass"}  # of the folder run, after a stop
_NOTE_SECONDS = 3.0
_FIRST_FREE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@dataclass(frozen=True)
class Changes:
    """What a start would do to programs, by name in start order.

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
    migrations: list[str] = []
    try:
        if check:
            daemon = find_daemon(folder)
            runs = daemon is not None and answers(folder, daemon)
            changes = _changes(folder, Control(folder.socket), programs, runs)
        else:
            folder.prepare()
            with only_one(folder, timeout):
                changes, migrations = _start(folder, programs, begin, timeout)
    except EmbeddedError as error:
        secrets = [secret for program in programs for secret in program.secrets()]
        raise type(error)(Masker(secrets).text(str(error))) from None
    seconds = time.monotonic() - begin
    return Outcome(changes.started, changes.restarted, changes.gone, migrations, seconds)


def _start(
    folder: Folder, programs: Sequence[Program], begin: float, timeout: float
) -> tuple[Changes, list[str]]:
    """Returns what was done to the programs, and the migrations."""
    databases = [program for program in programs if program.database]
    data = [one.database.get("PGDATA", one.data) for one in programs]
    Staging(folder, programs[0]).fill(Path(path) for path in data if path)
    for program in databases:
        write_password_file(folder, program)
    control = Control(folder.socket)
    sizes = {program.name: size_of(folder.log(program.name)) for program in programs}
    changes = _apply(folder, control, programs, timeout)
    begun = (*changes.started, *changes.restarted)
    held = [one.name for one in programs if one.needs_database and one.name in begun]
    return changes, wait_healthy(folder, control, programs, held, begin + timeout, sizes)


def _apply(
    folder: Folder, control: Control, programs: Sequence[Program], timeout: float
) -> Changes:
    """Stop what changes, and start all but what needs the database."""
    daemon = find_daemon(folder)
    if daemon is not None and not answers(folder, daemon):
        # Its socket was removed under it, and there is no other way to reach it.
        end_daemon(folder, daemon, timeout)
        daemon = None
    changes = _changes(folder, control, programs, daemon is not None)
    if daemon is None:
        _end_leftovers(folder, timeout)
        check_ports(programs)
        launch_daemon(folder)
        return changes
    check_ports(program for program in programs if _needs_port(folder, changes, program))
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


def _changes(folder: Folder, control: Control, programs: Sequence[Program], runs: bool) -> Changes:
    """Compare what runs, if supervisord does, with what is rendered. Changes nothing. Raises EmbeddedError."""
    if not runs:
        return Changes([program.name for program in programs], [], [], [], [])
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
    def noted() -> Started | None:
        started = read_started(folder.record(program.name))
        return started if started is not None and started.pid == info.pid else None

    # A process that supervisord has just replaced may not have been noted yet.
    wait_until(lambda: noted() is not None, _NOTE_SECONDS if info.uptime < _NOTE_SECONDS else 0.0)
    started = noted()
    return (
        started is not None
        and started.fingerprint == fingerprint(program)
        and not (program.database and keeps_owner_out(folder, program))
    )


def _needs_port(folder: Folder, changes: Changes, program: Program) -> bool:
    """Whether the program will be started on a port that it does not hold already."""
    if program.name not in changes.restarted:
        return program.name in changes.started
    noted = read_started(folder.record(program.name))
    return noted is None or not noted.lives or noted.port != program.port


def check_ports(programs: Iterable[Program]) -> None:
    """Raises EmbeddedError naming every program whose port is taken, by whom, or not for unprivileged users."""
    reasons = {program.name: _port_problem(program) for program in programs}
    problems = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    if problems:
        raise EmbeddedError("\n".join(problems))


def _port_problem(program: Program) -> str:
    setting = PORT_SETTINGS.get(program.probe)
    place = f"inventories/group_vars/{program.environment}/"
    fix = f"set {setting} to another port in {place} or with -e {setting}=…"
    if setting is None:
        fix = (
            f"give {program.name} another embedded_port in inventories/group_vars/all/services.yml"
        )
    first_free = int(_FIRST_FREE.read_text()) if _FIRST_FREE.exists() else 1024
    if program.port < first_free:
        return f"port {program.port} is for root only (below {first_free}), and the program runs without root; {fix}"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        # As servers do: connections that have just ended do not count.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, program.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"port {program.port}: {error.strerror}; {fix}"
            owner = port_owner(program.port) or "another program"
            return f"port {program.port} is taken by {owner}. Free it, or {fix}"
    return ""


def stop(folder: Folder, timeout: float, check: bool = False) -> list[str]:
    """Stop everything that runs, the API first, PostgreSQL last; what they have stored stays.

    Returns names of what ran. Raises EmbeddedError.
    """
    if not folder.root.is_dir():
        return []
    daemon = find_daemon(folder)
    ran = [*_alive(folder), *(["supervisord"] if daemon is not None else [])]
    if check or not ran:
        return ran
    with only_one(folder, timeout):
        daemon = find_daemon(folder)
        if daemon is not None:
            end_daemon(folder, daemon, timeout)
        _end_leftovers(folder, timeout)
        for path in folder.run.iterdir():  # how to reach processes that are gone
            if path.name not in KEPT:
                path.unlink(missing_ok=True)
        with suppress(OSError, EmbeddedError):
            if folder.socket.parent != folder.run:
                os.rmdir(folder.socket.parent)
        clear_staging(folder.root.parent)
    return ran


def _alive(folder: Folder) -> dict[str, Started]:
    """The programs that have processes, by name, the one started last first."""
    noted = {path.stem: read_started(path) for path in folder.run.glob("*.json")}
    alive = [(name, one) for name, one in noted.items() if one is not None and one.group()]
    return dict(sorted(alive, key=lambda item: item[1].ticks, reverse=True))


def _end_leftovers(folder: Folder, timeout: float) -> None:
    """End what outlived its supervisord. Raises EmbeddedError for what is another user's."""
    for started in _alive(folder).values():
        try:
            end_group(started, timeout)
        except PermissionError:
            raise EmbeddedError(
                f"process {started.pid} is another user's; work as that user"
            ) from None
