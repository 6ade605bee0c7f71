"""What a runtime offers, which there are, and which of them an environment gets."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..environment import Environment
from ..settings.problems import Problem
from .compose import commands as compose_commands
from .compose.engine import Engine, advice
from .embedded import commands as embedded_commands


class Runtime(Protocol):
    """How an environment is asked in one runtime: argument lists of commands that run on its host."""

    def evidence_commands(
        self, output_dir: str, services: Sequence[str], since: float = 0.0
    ) -> dict[str, list[str]]:
        """Commands by name whose output tells why something failed.

        Of logs they have what is newer than ``since`` (Unix seconds), which is 0 or now.
        """

    def access(self, environment: Environment, settings: Mapping[str, Any]) -> dict[str, Any]:
        """``url``, and the commands that run SQL and redis-cli and tell versions, as verification takes them."""


RUNTIMES: Mapping[str, Runtime] = {"compose": compose_commands, "embedded": embedded_commands}


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


@dataclass(frozen=True)
class RuntimeChoice:
    """``name`` is embedded or compose; ``reason`` is printed to the user."""

    name: str
    reason: str


def choose_runtime(
    wanted: str, engine: Engine, where: str, environment: str = "", started: Collection[str] = ()
) -> RuntimeChoice | Problem:
    """Resolve stack_runtime; ``where`` says who asked.

    A Problem when compose is asked for and cannot work, and when auto would take another runtime than that in which
    the environment was ``started``, only because the engine is silent.
    """
    if wanted == "embedded":
        return RuntimeChoice("embedded", "asked for by stack_runtime")
    if engine.usable:
        asked = "asked for by stack_runtime, and " if wanted == "compose" else ""
        return RuntimeChoice("compose", f"{asked}{engine.reason}")
    fix = advice(engine.denied, engine.unknown)
    if wanted == "compose":
        reason = f"is compose, but {engine.reason}"
        return Problem("stack_runtime", reason, f"{fix}; or set stack_runtime to embedded", where)
    if "compose" in started:
        reason = (
            f"is auto, and {environment} belongs to Docker since its last start or rendering, but {engine.reason}; "
            "its containers may run, so nothing is started beside them"
        )
        instead = f"or go on without Docker, with data of its own: make up ENV={environment} RUNTIME=embedded"
        return Problem("stack_runtime", reason, f"{fix}; {instead}", where)
    return RuntimeChoice("embedded", f"{engine.reason}; {fix if engine.unknown else _short()}")


def _short() -> str:
    return f"`{'' if os.geteuid() == 0 else 'sudo '}make engine` installs one"


def choose_remote_runtime(
    wanted: str, engine: Engine, where: str, host: str, environment: str
) -> RuntimeChoice | Problem:
    """As choose_runtime, on another machine, which has only Compose: embedded needs the project's Python packages."""
    if wanted == "embedded":
        reason = f"is embedded, which runs on this machine only, and {host} is another one"
        return Problem("stack_runtime", reason, "set it to compose or auto", where)
    if engine.usable:
        return RuntimeChoice("compose", f"on {host} {engine.reason}")
    fix = f"`make engine ENV={environment}` installs and starts Docker Engine and Compose v2 there"
    if engine.denied:
        fix = "set ansible_become: true for the host in the inventory, or put its user into group docker"
    return Problem("stack_runtime", f"needs Docker on {host}, but {engine.reason}", fix, where)
