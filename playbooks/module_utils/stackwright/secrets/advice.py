"""Where an environment's secrets are kept, and what to do about one that is missing or refused: said once."""

from __future__ import annotations


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
