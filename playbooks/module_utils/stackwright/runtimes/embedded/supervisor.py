"""supervisord: find it, start it, end it, whatever is left of its files, and talk to it (supervisord.org/api.html)."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ServerProxy, Transport

import psutil

from ...system import lock_folder, run
from .folder import EmbeddedError, Folder
from .processes import wait_until, works_in
from .programs import SYSTEM_PATH

ANSWER_SECONDS = 10.0
START_SECONDS = 20.0


class _UnixTransport(Transport):
    """supervisor's own, SupervisorTransport, has no bound on time: a supervisord that hangs would hang us."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = path, timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """A connection to the socket, whatever the host; noted where ``close`` looks for it."""
        connection = http.client.HTTPConnection("localhost")
        self._connection = host, connection
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(self._timeout)
        connection.sock.connect(str(self._path))
        return connection


@dataclass(frozen=True)
class ProcessInfo:
    """A program as supervisord sees it; ``state`` as in supervisord.org/subprocess.html, ``since`` in Unix time."""

    name: str
    state: str
    pid: int
    since: int
    now: int
    error: str

    @property
    def occupies(self) -> bool:
        """Whether it has a process, so that its port is its own."""
        return self.state in ("STARTING", "RUNNING", "STOPPING")

    @property
    def uptime(self) -> int:
        """Seconds since it was started; 0 when it does not run."""
        return max(self.now - self.since, 0) if self.occupies else 0


class Control:
    """The supervisord behind the socket. Every method raises EmbeddedError when it does not answer or refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _call(self, method: str, *words: Any, timeout: float = ANSWER_SECONDS) -> Any:
        transport = _UnixTransport(self._path, timeout)
        with ServerProxy("http://localhost/RPC2", transport=transport) as proxy:
            try:
                return getattr(proxy.supervisor, method)(*words)
            except Fault as fault:
                raise EmbeddedError(f"supervisord refused: {fault.faultString}") from None
            except (OSError, http.client.HTTPException, ProtocolError) as error:
                raise EmbeddedError(
                    f"supervisord does not answer at {self._path}: {error}"
                ) from None

    def pid(self) -> int:
        """Its process id."""
        return int(self._call("getPID"))

    def processes(self) -> dict[str, ProcessInfo]:
        """All programs by name."""
        keys = ("name", "statename", "pid", "start", "now", "spawnerr")
        found = self._call("getAllProcessInfo")
        return {info["name"]: ProcessInfo(*(info[key] for key in keys)) for info in found}

    def reread(self) -> tuple[list[str], list[str], list[str]]:
        """Read the configuration again; names of the programs that are new, changed and gone. Nothing is done yet."""
        new, changed, gone = self._call("reloadConfig")[0]
        return new, changed, gone

    def start(self, name: str) -> None:
        """Start a program without waiting."""
        self._call("startProcess", name, False)

    def stop(self, name: str, timeout: float) -> None:
        """Stop a program and wait for its end."""
        self._call("stopProcess", name, True, timeout=timeout)

    def add(self, name: str) -> None:
        """Take up a program of the configuration, which starts it."""
        self._call("addProcessGroup", name)

    def remove(self, name: str) -> None:
        """Forget a program that was stopped."""
        self._call("removeProcessGroup", name)


def find_daemon(folder: Folder) -> int | None:
    """Process id of the folder's supervisord. Its own files are not trusted: they may be stale, or removed."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(word.endswith("supervisord") for word in words) and (
            str(folder.config) in words or works_in(process.pid, folder.root)
        ):
            return int(process.pid)
    return None


def answers(folder: Folder, daemon: int) -> bool:
    """Whether this supervisord, and not another one, answers on the folder's socket."""
    try:
        return Control(folder.socket).pid() == daemon
    except EmbeddedError:
        return False


def launch_daemon(folder: Folder) -> None:
    """Start supervisord with all programs; it stays when we end. Raises EmbeddedError with what it said."""
    clean = ["env", "-i", f"PATH={SYSTEM_PATH}", "LANG=C.UTF-8", "HOME=/"]
    command = [sys.executable, "-I", "-m", "supervisor.supervisord", "-c", str(folder.config)]
    done = run([*clean, *command], START_SECONDS)
    if done.code != 0:
        raise EmbeddedError(f"supervisord did not start: {(done.err or done.out).strip()}")


def end_daemon(folder: Folder, daemon: int, seconds: float) -> None:
    """Stop all programs in reverse order, then supervisord. Raises EmbeddedError when that takes too long."""

    def gone() -> bool:
        # It sees signals and ended programs once a second, unless somebody asks it something.
        with suppress(EmbeddedError):
            Control(folder.socket).pid()
        return find_daemon(folder) != daemon

    with suppress(ProcessLookupError):
        os.kill(daemon, signal.SIGTERM)
    if not wait_until(gone, seconds):
        raise EmbeddedError(
            f"supervisord (pid {daemon}) did not end within {seconds:.0f} s; {folder.log('supervisord')} says what "
            "it waits for; stop again to wait longer"
        )


@contextmanager
def only_one(folder: Folder, seconds: float) -> Iterator[None]:
    """Hold the folder's lock: one start or stop at a time. Raises EmbeddedError when another one holds it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_folder(folder.root, seconds))
        except TimeoutError:
            raise EmbeddedError(
                f"another start or stop of {folder.root} did not end within {seconds:.0f} s"
            ) from None
        yield
