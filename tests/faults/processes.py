"""Processes that stand still or die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.api.servers import _Server


def children(pid: int) -> list[int]:
    """The processes a process has started, directly."""
    with suppress(OSError):
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(child) for child in found.split()]
    return []


def tree(server: _Server) -> list[int]:
    """A server's process and all below it, the parents first: PostgreSQL has one per connection."""
    assert server.process
    found = [server.process.pid]
    for pid in found:  # grows as it goes
        found += children(pid)
    return found


@contextmanager
def paused(server: _Server) -> Iterator[None]:
    """Stop a server with all its processes, as `docker pause` does, until the end of the context."""
    stopped: set[int] = set()
    # The parent first, and again: it may have been about to start one more.
    while new := set(tree(server)) - stopped:
        for pid in sorted(new):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        stopped |= new
    try:
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
