"""Running a program with a bound on its time, whatever it is."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NOT_FOUND = 127
TIMED_OUT = 124
_MOST_CHARACTERS = 200_000


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


def run(
    argv: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> Completed:
    """Run ``argv`` without a shell and without input, for ``seconds`` at most.

    ``environment`` is added to this process's. Never raises for what the program does: a missing
    program and one that had to be killed are results too. Output beyond 200,000 characters is cut
    at its start.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Completed(NOT_FOUND, "", f"{argv[0] if argv else 'empty command'}: {reason}")
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        out, err = _kill(process)
        return Completed(TIMED_OUT, _decode(out), _decode(err) or f"no answer in {seconds:.0f} s")
    except BaseException:
        _kill(process)
        raise
    return Completed(process.returncode, _decode(out), _decode(err))


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


def _decode(output: bytes) -> str:
    return output.decode("utf-8", "replace")[-_MOST_CHARACTERS:]
