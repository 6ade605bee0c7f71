"""One run at a time works on an environment; the others wait until it has ended, and say for whom.

A run's tasks are processes that come and go; only ansible-playbook itself lives as long as the run. It imports this
module, and every process forked from it shares the file opened here (as one "open file description", open(2)). A lock
on that belongs to the run, whichever process took it, and the kernel drops it with the last of them, however they end.
Two runs on different machines against one server are not told from each other here: see apply.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from .. import layout
from ..system import Deadline, OutOfTimeError, acquire
from .write import make_folder, replace_file

WAIT_SECONDS = 600.0
_POLL_SECONDS = 0.2


class RunLockError(Exception):
    """The lock was not free in time, or cannot be asked for; the message says why and what to do."""


@dataclass(frozen=True)
class Holder:
    """Who works on an environment. ``command`` has no variables in it: their values may be secrets."""

    pid: int
    user: str
    command: str
    since: str

    def __str__(self) -> str:
        return f"`{self.command}` of {self.user} (pid {self.pid}, since {self.since})"


class RunLock:
    """The locks of a checkout's environments.

    They are bytes of ``file``, which is there and stays as it is; where this user may not write it, of one in the
    folder for temporary files. ``notes`` gets who holds them, for those who wait. ``pid`` is the run's process,
    ``since`` its beginning. Raises nothing: ``take`` does.
    """

    def __init__(self, file: Path, notes: Path) -> None:
        self.pid = os.getpid()
        self.since = time.strftime("%Y-%m-%d %H:%M:%S")
        self._notes = notes
        self._descriptor = -1
        scratch = Path(tempfile.gettempdir()) / f"stackwright-{os.geteuid()}.lock"
        for path, more in ((file, 0), (scratch, os.O_CREAT | os.O_NOFOLLOW)):
            try:
                self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | more, 0o600)
                break
            except OSError as error:
                self._reason = f"{error.filename}: {error.strerror}"

    def take(
        self,
        environments: Iterable[str],
        me: Holder,
        say: Callable[[str], None],
        seconds: float = WAIT_SECONDS,
    ) -> None:
        """Take the locks of all of them, in an order that every run keeps to, so that no two wait for each other.

        What this run has already is taken again at once. ``say`` gets a line for each run that is waited for.
        Raises RunLockError when another run keeps one beyond ``seconds`` for all.
        """
        if self._descriptor < 0:
            fix = "remove it, or work as its owner"
            raise RunLockError(f"runs cannot wait for each other: {self._reason}; {fix}")
        deadline = Deadline(seconds)
        for environment in sorted(set(environments)):
            self._take(environment, deadline, say)
            if self._holder(environment) != me:
                self._note(environment, me)

    def release(self) -> None:
        """Give all locks back before the end. Only tests do."""
        os.close(self._descriptor)

    def forget(self, environment: str) -> None:
        """Remove the note of who works on an environment that is gone. The lock stays."""
        self._note_of(environment).unlink(missing_ok=True)

    def _take(self, environment: str, deadline: Deadline, say: Callable[[str], None]) -> None:
        """Lock the environment's byte of the file for this run."""
        start = int.from_bytes(hashlib.sha256(os.fsencode(self._notes / environment)).digest()[:7])
        byte = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0)  # struct flock
        lock = partial(fcntl.fcntl, self._descriptor, fcntl.F_OFD_SETLK, byte)
        said = set()

        def waiting() -> None:  # after a while, in which the holder noted who it is
            who = self._holder(environment) or "another run"
            if who not in said:
                say(f"waiting for {who}, which works on {environment}")
                said.add(who)

        try:
            acquire(lock, deadline, waiting, _POLL_SECONDS)
        except OutOfTimeError:
            who, seconds = self._holder(environment) or "another run", deadline.seconds
            fix = "wait until it has ended, or end it"
            raise RunLockError(
                f"{who} works on {environment}, still after {seconds:.0f} s; {fix}"
            ) from None

    def _holder(self, environment: str) -> Holder | None:
        try:
            return Holder(**json.loads(self._note_of(environment).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def _note(self, environment: str, me: Holder) -> None:
        """Say who has it, for those who wait; where that cannot be written they wait all the same."""
        path = self._note_of(environment)
        with suppress(OSError):
            make_folder(path.parent)
            replace_file(path, json.dumps(asdict(me)).encode(), 0o644)

    def _note_of(self, environment: str) -> Path:
        return self._notes / f".{environment}.run.json"


THIS_RUN = RunLock(Path(__file__).with_name("__init__.py"), layout.PROJECT / "generated")
