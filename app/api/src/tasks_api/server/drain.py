"""A stop that no client notices: how connections end before their server does.

granian, told to stop, closes every connection on which nothing is going on. Clients that keep
connections open do not expect that: of 16 busy ones, three to eight sent their next request into a
connection just closed. So the workers first spend a moment in which

- every answer says `Connection: close`, so its client sends nothing more on that connection;
- nobody gets a new connection: the kernel ignores attempts, which end when the listener does.

The main process ends the moment as soon as no connection is left, after MOMENT_SECONDS at most.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tasks_api.server.signals import LEAVE
from tasks_api.server.sockets import own_sockets

MOMENT_SECONDS = 1.5

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
# Classic BPF, see the kernel's networking/filter: drop what has SYN, accept all else. Each of code,
# jump if true, jump if false, operand. A filter on TCP sees the segment from its header on.
_DROP_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in [
        (0x30, 0, 0, 13),  # load the byte of flags
        (0x45, 0, 1, 0x02),  # is SYN set?
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # accept
    ]
)

# Shared with the workers, which may be too busy to take a signal at once.
_announced = mmap.mmap(-1, 1)


def announced() -> bool:
    """Whether the server is about to stop."""
    return bool(_announced[0])


def prepare_worker() -> None:
    """Be ready to `LEAVE`, in a worker that was just forked."""
    signal.signal(LEAVE, lambda *_: _take_no_more())


def announce(port: int) -> None:
    """Have the workers say so, and wait until the connections to `port` have ended."""
    _announced[0] = 1
    for worker in multiprocessing.active_children():
        if worker.pid:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, LEAVE)
    deadline = time.monotonic() + MOMENT_SECONDS
    while any(_open_connections(port)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _take_no_more() -> None:
    program = ctypes.create_string_buffer(_DROP_SYN)
    argument = struct.pack("HP", len(_DROP_SYN) // 8, ctypes.addressof(program))
    for _, found in own_sockets():
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            with suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, argument)


def _open_connections(port: int) -> Iterator[str]:
    """The lines of proc(5) `net/tcp` for established connections to `port`."""
    local = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(local) and fields[3] == "01":
                    yield line
