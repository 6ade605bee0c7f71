"""Which process listens on a TCP port of this host, read from /proc (Linux, see proc(5)), and whose it is."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..system import ANSWER_SECONDS, run

_LISTEN = "0A"
_TABLES = ("net/tcp", "net/tcp6")


@dataclass(frozen=True)
class PortOwner:
    """A listening process. ``pid`` is 0 and ``command`` empty if this user may not see it."""

    port: int
    pid: int
    command: str
    user: str

    def __str__(self) -> str:
        if not self.pid:
            return f"a process of user {self.user}"
        return f"'{self.command}' (pid {self.pid}, user {self.user})"


def port_owner(port: int, proc: Path = Path("/proc")) -> PortOwner | None:
    """The process that listens on TCP ``port``, whatever the address; None if nobody does.

    Other users' processes show only their user, unless this runs as root. A port published by
    Docker without its userland proxy has no listener and is not found either.
    """
    sockets = dict(_listening(port, proc))
    for pid in _pids(proc):
        if not _inodes(proc / str(pid)).isdisjoint(sockets):
            return PortOwner(port, pid, _command(proc / str(pid)), _user_of(proc / str(pid)))
    for uid in sockets.values():
        return PortOwner(port, 0, "", _user_name(uid))
    return None


def _listening(port: int, proc: Path) -> Iterator[tuple[str, int]]:
    """Inode and owner's uid of every listening socket on ``port``."""
    for table in _TABLES:
        with suppress(OSError):
            for line in (proc / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9], int(fields[7])


def _pids(proc: Path) -> list[int]:
    return sorted(int(entry) for entry in os.listdir(proc) if entry.isdigit())


def _inodes(process: Path) -> set[str]:
    """Inodes of a process's sockets; none if it ended meanwhile or is somebody else's."""
    found = set()
    with suppress(OSError):
        for handle in os.listdir(process / "fd"):
            with suppress(OSError):
                link = os.readlink(process / "fd" / handle)
                if link.startswith("socket:["):
                    found.add(link[8:-1])
    return found


def _command(process: Path) -> str:
    with suppress(OSError):
        command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        if command.strip():
            return " ".join(command.split())[:200]
    return "?"


def _user_of(process: Path) -> str:
    try:
        return _user_name(process.stat().st_uid)
    except OSError:
        return "?"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_foreign(owner: PortOwner | None, words: Sequence[str]) -> bool:
    """Whether a listener is known not to be the environment's, going by what its address command prints.

    ``words`` has ``published:PORT`` for what its engine publishes, whoever may see the process that does it, and what
    the command lines of its own listeners hold. Without any word everything is the environment's.
    """
    if owner is None or not words or f"published:{owner.port}" in words:
        return False
    return not any(word in owner.command for word in words)


def port_users(ports: list[int], address_command: list[str]) -> dict[str, dict[str, Any]]:
    """By port, as text: ``owner`` in words (empty if unknown) and whether it is ``foreign``.

    ``address_command`` prints the words, see is_foreign.
    """
    words = run(address_command, ANSWER_SECONDS).out.split() if address_command else []
    owners = {port: port_owner(port) for port in ports}
    return {
        str(port): {"owner": str(owner or ""), "foreign": is_foreign(owner, words)}
        for port, owner in owners.items()
    }
