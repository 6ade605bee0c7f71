"""How a rendered environment is reached and asked, whatever its runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from . import compose_commands
from .embedded import commands as embedded_commands


class Runtime(Protocol):
    """What the module of a runtime offers."""

    def evidence_commands(self, output_dir: str, services: Sequence[str]) -> dict[str, list[str]]:
        """See below."""

    def access(
        self, output_dir: str, services: Sequence[str], settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See below."""


RUNTIMES: Mapping[str, Runtime] = {"compose": compose_commands, "embedded": embedded_commands}


def evidence_commands(
    runtime: str, output_dir: str, services: Sequence[str]
) -> dict[str, list[str]]:
    """Commands by name whose output tells why something failed."""
    return RUNTIMES[runtime].evidence_commands(output_dir, services)


def access(
    runtime: str, output_dir: str, services: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """``url``, and the argument lists that run SQL and redis-cli and tell versions, see the runtimes' modules."""
    return RUNTIMES[runtime].access(output_dir, services, settings)
