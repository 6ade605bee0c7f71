"""The sockets of this process, which belong to the server: granian hands out none of them."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress


def own_sockets(port: int | None = None) -> Iterator[tuple[int, socket.socket]]:
    """Inode and a copy, closed with the next step, of each TCP socket; those at a local `port`."""
    for entry in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # it may be closed meanwhile
            status = os.fstat(int(entry))
            if not stat.S_ISSOCK(status.st_mode):
                continue
            with socket.socket(fileno=os.dup(int(entry))) as copy:
                if copy.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                if port is None or copy.getsockname()[1] == port:
                    yield status.st_ino, copy
