"""One at a time in a folder: the folder itself is what is locked, so no file is left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.05


@contextmanager
def lock_folder(folder: Path, seconds: float) -> Iterator[None]:
    """Hold the folder's lock, waited for ``seconds`` at most. Raises OSError; TimeoutError when it stays taken."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    end = time.monotonic() + seconds
    try:
        while not _locked(descriptor):
            if time.monotonic() >= end:
                reason = f"another run works there, still after {seconds:.0f} s"
                raise TimeoutError(errno.EAGAIN, reason, str(folder))
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
