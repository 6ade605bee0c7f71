"""One verification of an environment at a time: each would take the other's probes for leftovers."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..system import Deadline, lock_folder
from .promise import BrokenPromiseError


def mark_of(folder: Path) -> str:
    """What tells probes made under the lock on ``folder`` from those of other checkouts and machines."""
    place = f"{socket.gethostname()}:{folder.resolve()}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


@contextmanager
def only_one(folder: Path, deadline: Deadline) -> Iterator[None]:
    """Hold the lock on ``folder``, which leaves no file behind. Raises BrokenPromiseError, OSError."""
    with ExitStack() as held:
        try:
            held.enter_context(lock_folder(folder, deadline.left()))
        except TimeoutError:
            raise BrokenPromiseError(
                "no other verification of this environment runs",
                f"{folder} was locked for {deadline.seconds:g} s",
                fix="Wait for the other one to end.",
            ) from None
        yield
