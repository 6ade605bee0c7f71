"""Find out before a start whether a program can have its port."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from pathlib import Path

from ...diagnosis.ports import port_owner
from .errors import EmbeddedError
from .probes import HOST
from .program import Program

SETTINGS = {"postgres": "embedded_db_port", "redis": "embedded_cache_port", "http": "api_port"}
_FIRST_FREE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def check_ports(programs: Iterable[Program]) -> None:
    """Raises EmbeddedError naming every program whose port is taken, by whom, or not for unprivileged users."""
    problems = [
        f"{program.name}: {reason}" for program in programs if (reason := _problem(program))
    ]
    if problems:
        raise EmbeddedError("\n".join(problems))


def _problem(program: Program) -> str:
    setting = SETTINGS[program.probe]
    place = f"inventories/group_vars/{program.environment}/"
    fix = f"set {setting} to another port in {place} or with -e {setting}=…"
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
