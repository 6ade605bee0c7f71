"""What one run has worked out, kept for its later tasks.

Each task of each host is a process of its own, forked from ansible-playbook. A fact would carry results from one to the
next, but facts can be read by any template, are printed with -vvv and may be cached on disk, and settings hold secrets.
So ansible-playbook opens an anonymous file in memory when it imports this (memfd_create(2)): the processes of the run
share it, it has no name to open it by, and it is gone with the last of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_HEADER = struct.Struct("=32sQ")


class RunMemory:
    """Values by what they were worked out from; nothing of it is ever replaced."""

    def __init__(self) -> None:
        self._file = os.memfd_create("stackwright-run")

    def recall(self, made_of: Any) -> Any:
        """What was kept for this, compared by its ``repr``; None where nothing was."""
        wanted = _name(made_of)
        with self._locked(fcntl.LOCK_SH) as end:
            place = 0
            while place < end:
                name, size = _HEADER.unpack(os.pread(self._file, _HEADER.size, place))
                place += _HEADER.size
                if name == wanted:
                    return pickle.loads(os.pread(self._file, size, place))
                place += size
        return None

    def keep(self, made_of: Any, value: Any) -> None:
        """Keep a value for the tasks to come; where there is no room, they work it out again."""
        content = pickle.dumps(value)
        record = _HEADER.pack(_name(made_of), len(content)) + content
        with self._locked(fcntl.LOCK_EX) as end:
            try:
                written = os.pwrite(self._file, record, end)
            except OSError:
                written = 0
            if written < len(record):
                os.ftruncate(self._file, end)

    @contextmanager
    def _locked(self, how: int) -> Iterator[int]:
        """The end of the file, while other processes of the run wait (or only read)."""
        fcntl.lockf(
            self._file, how
        )  # belongs to the process: a lock of flock(2) would be that of the whole run
        try:
            yield os.fstat(self._file).st_size
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def _name(made_of: Any) -> bytes:
    return hashlib.sha256(repr(made_of).encode()).digest()


MEMORY = RunMemory()
