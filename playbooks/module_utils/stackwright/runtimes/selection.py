"""Which runtime an environment gets, and why, in one line."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

from ..settings.problems import Problem
from .compose.engine import Engine, advice


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
