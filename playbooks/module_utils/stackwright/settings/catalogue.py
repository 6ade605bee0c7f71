"""What the entries of the service catalogue say, before anything is computed from them."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

# Lists the files of the API's tokens.
TOKENS_VARIABLE = "API_TOKENS_FILE"


def start_order(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the enabled services, each after those it needs; otherwise as the catalogue lists them.

    Raises ValueError naming the services that need each other in a circle.
    """
    enabled = {name: service["needs"] for name, service in services.items() if service["enabled"]}
    sorter = TopologicalSorter(enabled)
    try:
        sorter.prepare()
    except CycleError as circle:
        raise ValueError(" → ".join(circle.args[1])) from None
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=list(services).index)
        order += ready
        sorter.done(*ready)
    return order


def setting_of(values: Mapping[str, Any], value: Any, ending: str) -> str:
    """The setting, of those whose names have this ending, that a value of the catalogue comes from; empty: none."""
    named = (name for name, given in values.items() if name.endswith(ending) and given == value)
    return next(named, "")


def volume_names(entry: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Docker's names of an entry's volumes by key; left out, it is the key with the environment's prefix."""
    return {
        key: volume.get("name", f"{prefix.replace('-', '_')}{key}")
        for key, volume in entry.get("volumes", {}).items()
    }


def variable_names(entry: Mapping[str, Any]) -> set[str]:
    """The names of all variables that a catalogue entry can give its service, but for those that people add."""
    names = {*entry.get("environment", {}), entry.get("port_variable", "")}
    for variables in entry.get("environment_with", {}).values():
        names |= variables.keys()
    for prefix in entry.get("connections", {}):
        names |= {f"{prefix}_HOST", f"{prefix}_PORT"}
    if isinstance(entry["secrets"], Mapping):
        names |= set(entry["secrets"].values())
    if entry.get("role") == "api":
        names.add(TOKENS_VARIABLE)
    return names - {""}
