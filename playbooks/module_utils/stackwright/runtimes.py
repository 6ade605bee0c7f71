"""Which runtime an environment gets, and why, in one line."""

from __future__ import annotations

from dataclasses import dataclass

from .engine import Engine
from .problems import Problem


@dataclass(frozen=True)
class RuntimeChoice:
    """``name`` is embedded or compose; ``reason`` is printed to the user."""

    name: str
    reason: str


def choose_runtime(wanted: str, engine: Engine, where: str) -> RuntimeChoice | Problem:
    """Resolve stack_runtime. A Problem when compose is asked for and cannot work; ``where`` says who asked."""
    if wanted == "embedded":
        return RuntimeChoice("embedded", "asked for by stack_runtime")
    if engine.usable:
        asked = "asked for by stack_runtime, and " if wanted == "compose" else ""
        return RuntimeChoice("compose", f"{asked}{engine.reason}")
    if wanted == "compose":
        reason = f"is compose, but {engine.reason}"
        fix = "`make engine` installs and starts Docker Engine and Compose v2, or set stack_runtime to embedded"
        return Problem("stack_runtime", reason, fix, where)
    return RuntimeChoice("embedded", f"{engine.reason}; `make engine` installs one")


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
