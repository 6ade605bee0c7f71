"""PostgreSQL's options, derived from the memory, connections and limits that the settings give it.

The proportions are those of the PostgreSQL manual, 20.4 "Resource Consumption" (a quarter of the memory for
shared_buffers), with the rest shared out so that all connections sorting at once do not exceed the limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..settings.validation import size_in_bytes

KIB, MIB, GIB = 1024, 1024**2, 1024**3


def _bounded(least: int, size: int, most: int) -> str:
    """A size in bytes within bounds, as PostgreSQL writes it."""
    size = max(least, min(size, most))
    return f"{size // KIB}kB" if size % MIB else f"{size // MIB}MB"


def postgres_options(values: Mapping[str, Any]) -> dict[str, str]:
    """Options of the server by name, from db_memory and db_max_connections."""
    memory, connections = size_in_bytes(values["db_memory"]), values["db_max_connections"]
    return {
        "max_connections": str(connections),
        # A quarter of its own; what the kernel caches of files counts towards the limit too, and is given back.
        "shared_buffers": _bounded(16 * MIB, memory // 4, 16 * GIB),
        "effective_cache_size": _bounded(32 * MIB, memory * 3 // 4, 1024 * GIB),
        # Another quarter for all sorts and hashes at once, an eighth for three autovacuum workers and a person.
        "work_mem": _bounded(1 * MIB, memory // 4 // connections, 64 * MIB),
        "maintenance_work_mem": _bounded(2 * MIB, memory // 32, 1 * GIB),
        # Fewer checkpoints where there is memory for more changed pages, for up to so much disk.
        "max_wal_size": _bounded(256 * MIB, memory * 2, 8 * GIB),
    }
