"""One verification of an environment at a time: each would take the other's probes for leftovers."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .deadline import Deadline, OutOfTimeError
from .promise import BrokenPromiseError

_POLL_SECONDS = 0.2


def mark_of(folder: Path) -> str:
    """What tells probes made under the lock on ``folder`` from those of other checkouts and machines."""
    place = f"{socket.gethostname()}:{folder.resolve()}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


@contextmanager
def only_one(folder: Path, deadline: Deadline) -> Iterator[None]:
    """Hold the lock on ``folder``, which leaves no file behind. Raises BrokenPromiseError, OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while not _locked(handle):
            try:
                deadline.pause(_POLL_SECONDS)
            except OutOfTimeError:
                raise BrokenPromiseError(
                    "no other verification of this environment runs",
                    f"{folder} was locked for {deadline.seconds:g} s",
                    fix="Wait for the other one to end.",
                ) from None
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
