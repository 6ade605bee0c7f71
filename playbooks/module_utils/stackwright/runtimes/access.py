"""How a rendered environment is reached and asked, whatever its runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from .compose import commands as compose_commands
from .embedded import commands as embedded_commands


class Runtime(Protocol):
    """What the module of a runtime offers."""

    def evidence_commands(
        self, output_dir: str, services: Sequence[str], since: float
    ) -> dict[str, list[str]]:
        """See below."""

    def access(
        self, output_dir: str, services: Sequence[str], settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See below."""


RUNTIMES: Mapping[str, Runtime] = {"compose": compose_commands, "embedded": embedded_commands}


def evidence_commands(
    runtime: str, output_dir: str, services: Sequence[str], since: float = 0.0
) -> dict[str, list[str]]:
    """Commands by name whose output tells why something failed; of logs what is newer than ``since`` (Unix seconds).

    A ``since`` other than 0 has to be now.
    """
    return RUNTIMES[runtime].evidence_commands(output_dir, services, since)


def access(
    runtime: str, output_dir: str, services: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """``url``, and the argument lists that run SQL and redis-cli and tell versions, see the runtimes' modules."""
    return RUNTIMES[runtime].access(output_dir, services, settings)


def from_here(address: str, access: Mapping[str, Any]) -> dict[str, str]:
    """How people reach an environment from this machine; ``address`` is that of its host, empty for this machine.

    ``url``, ``options`` for curl, and ``tunnel``, a command to type first where the host publishes to itself only.
    """
    url = str(access["url"])
    parts = urlsplit(url)
    found = {"url": url, "options": "", "tunnel": ""}
    if not address:
        return found
    if all(item["address"].startswith("127.") for item in access["published"]):
        port = parts.port or 443
        return found | {"tunnel": f"ssh -L {port}:127.0.0.1:{port} {address}"}
    if parts.hostname == "localhost":
        return found | {"url": url.replace("//localhost", f"//{address}")}
    if str(parts.hostname).endswith(".localhost"):
        return found | {"options": f" --connect-to ::{address}:"}
    return found
