"""How the programs are: asked over TCP as their clients do, waited for after a start, and shown to people."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...system import run
from .database import migrate
from .folder import Folder, ProgramError, last_lines
from .processes import read_started
from .programs import HOST, Program, load_programs, postgres_tools
from .supervisor import Control, ProcessInfo, find_daemon

POLL_SECONDS = 0.05
MOST_ATTEMPTS = 3
ANSWER_SECONDS = 2.0
_LOG_LINES = 15


def probe(program: Program) -> str:
    """What keeps the program from being healthy; empty when it is."""
    if program.probe == "http":
        return _http(program.port, program.health_path)
    return {"postgres": _postgres, "redis": _redis, "tcp": _tcp}[program.probe](program.port)


def _postgres(port: int) -> str:
    """pg_isready: 0 takes connections, 1 refuses them (starting, stopping), 2 no answer."""
    command = [str(postgres_tools() / "pg_isready"), f"--host={HOST}", f"--port={port}"]
    done = run([*command, f"--timeout={ANSWER_SECONDS:.0f}"], 2 * ANSWER_SECONDS)
    return "" if done.code == 0 else (done.out or done.err).strip()


def _redis(port: int) -> str:
    """PING, as the user that may do nothing else and needs no password (any will do)."""
    try:
        with socket.create_connection((HOST, port), ANSWER_SECONDS) as connection:
            connection.sendall(b"AUTH health none\r\nPING\r\n")
            stream = connection.makefile("rb")
            answers = [stream.readline(200), stream.readline(200)]
    except OSError as error:
        return f"PING: {error}"
    wrong = [answer for answer in answers if answer not in (b"+OK\r\n", b"+PONG\r\n")]
    return f"PING: {wrong[0].decode('utf-8', 'replace').strip() or 'no answer'}" if wrong else ""


def _tcp(port: int) -> str:
    """Whether it takes connections, of what there is no other word for."""
    try:
        socket.create_connection((HOST, port), ANSWER_SECONDS).close()
    except OSError as error:
        return f"connecting: {error}"
    return ""


def _http(port: int, path: str) -> str:
    try:
        status, _ = _get(port, path)
    except (OSError, http.client.HTTPException) as error:
        return f"GET {path}: {error}"
    return "" if status == 200 else f"GET {path}: {status}"


def _get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET. Raises OSError or HTTPException."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _api_version(port: int) -> str:
    """The version the API tells; empty when it does not."""
    try:
        return str(json.loads(_get(port, "/")[1])["version"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""


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
        names = [program.name for program in programs]
        late = [name for name in names if name not in ready or infos[name].state != "RUNNING"]
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
        return f"{self.service:<12} {self.state + health:<21} {HOST}:{self.port:<6} {self.version:<8} {pid}".rstrip()


def status(folder: Folder) -> list[Row]:
    """One row per program in start order. Raises EmbeddedError when nothing is rendered, or it is another user's."""
    programs = load_programs(folder)
    infos = Control(folder.socket).processes() if find_daemon(folder) else {}
    return [_row(folder, program, infos.get(program.name)) for program in programs]


def _row(folder: Folder, program: Program, info: ProcessInfo | None) -> Row:
    if info is None or not info.occupies:
        return Row(program.name, info.state if info else "STOPPED", "", None, 0, program.port, "")
    error = probe(program)
    version = _api_version(program.port) if program.probe == "http" and not error else ""
    noted = read_started(folder.record(program.name))
    if noted is not None and noted.pid == info.pid:
        version = version or noted.version
    health = "unhealthy" if error else "healthy"
    return Row(program.name, info.state, health, info.pid, info.uptime, program.port, version)


def _duration(seconds: int) -> str:
    """``93784`` → ``1d 02:03:04``."""
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}d {clock}" if days else clock
