"""Run a program with a bound on its time, lock a folder, keep to a deadline: one way for all of the generator."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

# For a question that a program answers at once. A loaded host needs seconds, so that only one that hangs costs this.
ANSWER_SECONDS = 15.0
NOT_FOUND = 127
TIMED_OUT = 124
_MOST_CHARACTERS = 200_000
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Completed:
    """What a program printed and its exit code; NOT_FOUND and TIMED_OUT as a shell has them."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both outputs, what was printed as an error last."""
        return "\n".join(part for part in (self.out.strip("\n"), self.err.strip("\n")) if part)


class CommandError(Exception):
    """A command that failed, or could not be run or ended in time: its last words, or why, in one line.

    ``completed`` has the rest.
    """

    def __init__(self, completed: Completed) -> None:
        self.completed = completed
        lines = completed.err.strip().splitlines() or completed.out.strip().splitlines()
        super().__init__(lines[-1].strip() if lines else f"exit code {completed.code}")


def run(
    argv: Sequence[str | os.PathLike[str]],
    seconds: float,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    most_characters: int | None = _MOST_CHARACTERS,
    folder: str | os.PathLike[str] | None = None,
) -> Completed:
    """Run ``argv`` without a shell in ``folder``, for ``seconds`` at most, with ``stdin`` as its input.

    ``environment`` is added to this process's. Never raises for what the program does: a missing
    program and one that had to be killed are results too. Output beyond ``most_characters`` is cut
    at its start; None cuts nothing.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = getattr(error, "filename", None) or (argv[0] if argv else "empty command")
        return Completed(NOT_FOUND, "", f"{what}: {reason}")
    try:
        out, err = process.communicate(stdin.encode() if stdin else None, timeout=seconds)
    except subprocess.TimeoutExpired:
        out, err = _kill(process)
        said = _decode(err, most_characters).rstrip("\n")
        reason = f"{said}\nno answer in {seconds:.0f} s".lstrip("\n")
        return Completed(TIMED_OUT, _decode(out, most_characters), reason)
    except BaseException:
        _kill(process)
        raise
    return Completed(
        process.returncode, _decode(out, most_characters), _decode(err, most_characters)
    )


def run_checked(
    argv: Sequence[str | os.PathLike[str]],
    seconds: float,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> Completed:
    """As ``run``, nothing cut, for a command that has to succeed. Raises CommandError."""
    done = run(argv, seconds, environment, stdin, most_characters=None)
    if done.code:
        raise CommandError(done)
    return done


def _kill(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Kill a program with its children, which would otherwise hold the pipes open."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    try:
        return process.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        return b"", b""


def _decode(output: bytes, most_characters: int | None) -> str:
    text = output.decode("utf-8", "replace")
    return text if most_characters is None else text[-most_characters:]


class OutOfTimeError(Exception):
    """A deadline has passed."""


class Deadline:
    """A budget of ``seconds`` for everything that waits; it starts now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - time.monotonic())

    def bound(self, seconds: float) -> float:
        """The shorter of ``seconds`` and what is left. Raises OutOfTimeError if nothing is left."""
        left = self.left()
        if left <= 0:
            raise OutOfTimeError
        return min(seconds, left)

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end. Raises OutOfTimeError."""
        time.sleep(self.bound(seconds))


def acquire(
    lock: Callable[[], object],
    deadline: Deadline,
    waiting: Callable[[], None] = lambda: None,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Call ``lock`` until it raises no BlockingIOError, and ``waiting`` in between. Raises OutOfTimeError."""
    while True:
        try:
            lock()
        except BlockingIOError:
            deadline.pause(poll_seconds)
            waiting()
        else:
            return


@contextmanager
def lock_folder(folder: Path, seconds: float) -> Iterator[None]:
    """Hold the lock on a folder, waited for ``seconds`` at most; it leaves no file behind.

    Raises OSError; TimeoutError when another run keeps it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock = partial(fcntl.flock, descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            acquire(lock, Deadline(seconds))
        except OutOfTimeError:
            reason = f"another run works there, still after {seconds:.0f} s"
            raise TimeoutError(errno.EAGAIN, reason, str(folder)) from None
        yield
    finally:
        os.close(descriptor)
