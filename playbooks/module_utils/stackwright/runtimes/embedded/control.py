"""Talk to supervisord: XML-RPC over its Unix socket (supervisord.org/api.html), with the standard library only."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ServerProxy, Transport

from .errors import EmbeddedError

ANSWER_SECONDS = 10.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(Transport):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = path, timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """A connection to the socket, whatever the host; noted where ``close`` looks for it."""
        connection = _UnixConnection(self._path, self._timeout)
        self._connection = host, connection
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
    """The supervisord behind ``path``. Every method raises EmbeddedError when it does not answer or refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _supervisor(self, timeout: float = ANSWER_SECONDS) -> Iterator[Any]:
        with ServerProxy(
            "http://localhost/RPC2", transport=_UnixTransport(self._path, timeout)
        ) as proxy:
            try:
                yield proxy.supervisor
            except Fault as fault:
                raise EmbeddedError(f"supervisord refused: {fault.faultString}") from None
            except (OSError, http.client.HTTPException, ProtocolError) as error:
                raise EmbeddedError(
                    f"supervisord does not answer at {self._path}: {error}"
                ) from None

    def pid(self) -> int:
        """Its process id."""
        with self._supervisor() as supervisor:
            return int(supervisor.getPID())

    def processes(self) -> dict[str, ProcessInfo]:
        """All programs by name."""
        with self._supervisor() as supervisor:
            return {
                info["name"]: ProcessInfo(
                    info["name"],
                    info["statename"],
                    info["pid"],
                    info["start"],
                    info["now"],
                    info["spawnerr"],
                )
                for info in supervisor.getAllProcessInfo()
            }

    def reread(self) -> tuple[list[str], list[str], list[str]]:
        """Read the configuration again; names of the programs that are new, changed and gone. Nothing is done yet."""
        with self._supervisor() as supervisor:
            new, changed, gone = supervisor.reloadConfig()[0]
            return new, changed, gone

    def start(self, name: str) -> None:
        """Start a program without waiting."""
        with self._supervisor() as supervisor:
            supervisor.startProcess(name, False)

    def stop(self, name: str, timeout: float) -> None:
        """Stop a program and wait for its end."""
        with self._supervisor(timeout) as supervisor:
            supervisor.stopProcess(name, True)

    def add(self, name: str) -> None:
        """Take up a program of the configuration, which starts it."""
        with self._supervisor() as supervisor:
            supervisor.addProcessGroup(name)

    def remove(self, name: str) -> None:
        """Forget a program that was stopped."""
        with self._supervisor() as supervisor:
            supervisor.removeProcessGroup(name)

    def shut_down(self) -> None:
        """Begin to stop all programs in reverse order, then supervisord."""
        with self._supervisor() as supervisor:
            supervisor.shutdown()
