"""What is wrong with a setting, said so that the reader knows where to go and what to write; of secrets, too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One refused setting. ``where`` is a file (with line) or the command line; values are never part of it."""

    setting: str
    reason: str
    fix: str
    where: str

    @property
    def root(self) -> str:
        """The setting itself where ``setting`` is a place inside it, such as ``stack_labels.team``."""
        return re.split(r"[.\[]", self.setting, maxsplit=1)[0]

    def __str__(self) -> str:
        return f"{self.setting}: {self.reason}\n      in   {self.where}\n      fix  {self.fix}"


class RefusedError(Exception):
    """An environment that must not be rendered, with all its problems at once."""

    def __init__(self, environment: str, problems: Iterable[Problem]) -> None:
        self.environment = environment
        self.problems = list(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"environment {self.environment}: {count} problem{'s' if count != 1 else ''}, nothing was written"
        return "\n".join([head, *(f"  - {problem}" for problem in self.problems)])


def vault_of(environment: str) -> str:
    """The encrypted file with the secrets, relative to the project."""
    return f"inventories/group_vars/{environment}/vault.yml"


def generating(environment: str) -> str:
    """For a secret that is nowhere."""
    return f"`make secrets ENV={environment}` generates one into {vault_of(environment)}"


def replacing(environment: str) -> str:
    """For a secret that is refused: nothing ever overwrites one by itself."""
    edit = f"in the vault with `ansible-vault edit {vault_of(environment)}`"
    return f"take it out ({edit}), then `make secrets ENV={environment}` generates one"


def hiding(environment: str, place: str) -> str:
    """For a secret that anyone can read at ``place``."""
    vault = vault_of(environment)
    if place.startswith(vault):
        return f"`ansible-vault encrypt {vault}`"
    move = f"move it to {vault} with `ansible-vault edit`"
    return f"{move}, or take it out, then `make secrets ENV={environment}` generates one there"
