"""What a failure leaves behind: texts, facts of the host, and states of containers.

Of what programs write in JSON these are understood: the State object of the Docker Engine API (Status, ExitCode,
OOMKilled, Error, Health.Log of GET /containers/{id}/json), a whole inspect document, the lines of
`docker compose ps --format json` (Name, State, Health, ExitCode), and the events of `docker compose --progress json`
(error, message).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..secrets.masking import MASK, Masker
from .ports import PortOwner

_NEARLY_FULL_BYTES = 64 * 1024 * 1024
# Credentials that nobody has declared to be secret: in an address, or assigned to a telling name.
_CREDENTIALS = re.compile(
    r"(?i)(?<=://)[^/\s:@]*:[^/\s@]+(?=@)|(?<=password=)[^\s&]+|(?<=requirepass )\S+"
)
EXIT_CODES = {
    1: "it reported an error",
    2: "wrong settings or arguments",
    126: "its program may not be executed",
    127: "its program was not found",
    132: "illegal instruction: the image is for another processor",
    134: "it aborted itself",
    137: "killed: out of memory, or it did not stop in time",
    139: "it crashed (segmentation fault)",
    143: "it was told to stop",
}


@dataclass(frozen=True)
class Disk:
    """A file system as ``path`` sees it: bytes and inodes free to unprivileged users."""

    path: str
    free_bytes: int
    free_inodes: int

    @property
    def is_full(self) -> bool:
        """Whether next to nothing fits on it. A file system without inode counts reports 0 of them."""
        return self.free_bytes < _NEARLY_FULL_BYTES

    def __str__(self) -> str:
        return f"{self.path} has {self.free_bytes // 1024**2} MiB free"


@dataclass(frozen=True)
class Evidence:
    """What a failure left behind.

    ``failure`` is what the failed command said; ``sources`` name further texts (logs, states, also
    in JSON); ``port_owners`` and ``disks`` are facts of the host.
    """

    failure: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    port_owners: Mapping[int, PortOwner] = field(default_factory=dict)
    disks: Sequence[Disk] = ()
    environment: str = "dev"
    runtime: str = ""
    phase: str = ""

    def masked(self, masker: Masker) -> Evidence:
        """The same without secrets, and without what looks like one."""

        def hide(text: str) -> str:
            return _CREDENTIALS.sub(MASK, masker.text(text))

        owners = {
            port: replace(owner, command=hide(owner.command))
            for port, owner in self.port_owners.items()
        }
        sources = {name: hide(text) for name, text in self.sources.items()}
        return replace(self, failure=hide(self.failure), sources=sources, port_owners=owners)


def meaning(code: int) -> str:
    """What an exit code means, in a few words."""
    return EXIT_CODES.get(code, "see its log")


def sentences(text: str) -> list[str]:
    """One line per container that is not well, for every state in JSON within ``text``; and what events report."""
    return [line for state in _states(text) for line in _sentences(state)]


def is_json(line: str) -> bool:
    """Whether a line is a JSON document that programs wrote for programs."""
    if not line.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _states(text: str) -> Iterator[dict[str, Any]]:
    for value in _values(text):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield item


def _values(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
    except (ValueError, RecursionError):
        for line in text.splitlines():
            if line.lstrip().startswith(("{", "[")):
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    continue


def _sentences(item: dict[str, Any]) -> Iterator[str]:
    if item.get("error") is True:
        yield str(item.get("message", ""))
    nested = item.get("State")
    state: dict[str, Any] = nested if isinstance(nested, dict) else item
    status = str(nested if isinstance(nested, str) else state.get("Status", ""))
    name = str(item.get("Name") or item.get("Service") or "of this environment").lstrip("/")
    code = state.get("ExitCode", 0)
    if state.get("OOMKilled"):
        yield f"container {name}: killed for using more memory than its limit"
    elif status in ("exited", "dead", "restarting") and isinstance(code, int) and code:
        looping = " again and again" if status == "restarting" else ""
        yield f"container {name}: exited with code {code}{looping}"
    if error := str(state.get("Error") or ""):
        yield f"container {name}: {error}"
    health = state.get("Health")
    if isinstance(health, str) and health == "unhealthy" and status != "exited":
        yield f"container {name}: unhealthy"
    if isinstance(health, dict) and health.get("Status") == "unhealthy" and status != "exited":
        checks = [check for check in health.get("Log") or [] if isinstance(check, dict)]
        last = checks[-1] if checks else {}
        output = " ".join(str(last.get("Output", "")).split()) or "no output"
        yield f"container {name}: unhealthy, its last check ended with {last.get('ExitCode', '?')}: {output}"
