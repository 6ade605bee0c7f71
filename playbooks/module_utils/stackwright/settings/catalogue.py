"""The enabled services in the order in which they start."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any


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
