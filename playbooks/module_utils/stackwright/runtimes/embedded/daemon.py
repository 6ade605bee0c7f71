"""supervisord itself: find it, start it, end it, whatever is left of its files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from ...system import lock_folder
from .binaries import SYSTEM_PATH
from .control import Control
from .errors import EmbeddedError
from .folder import Folder
from .processes import command_of, process_ids, wait_until, works_in

START_SECONDS = 20.0


def find_daemon(folder: Folder) -> int | None:
    """Process id of the folder's supervisord. Its own files are not trusted: they may be stale, or removed."""
    config = os.fsencode(folder.config)
    for pid in process_ids():
        words = command_of(pid)
        if any(word.endswith(b"supervisord") for word in words) and (
            config in words or works_in(pid, folder.root)
        ):
            return pid
    return None


def answers(folder: Folder, daemon: int) -> bool:
    """Whether this supervisord, and not another one, answers on the folder's socket."""
    try:
        return Control(folder.socket).pid() == daemon
    except EmbeddedError:
        return False


def launch_daemon(folder: Folder) -> None:
    """Start supervisord with all programs; it stays when we end. Raises EmbeddedError with what it said."""
    command = [sys.executable, "-I", "-m", "supervisor.supervisord", "-c", str(folder.config)]
    try:
        done = subprocess.run(
            command,
            cwd="/",
            env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": "/"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EmbeddedError(f"supervisord did not start within {START_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise EmbeddedError(f"supervisord did not start: {(done.stderr or done.stdout).strip()}")


def end_daemon(folder: Folder, daemon: int, seconds: float) -> None:
    """Stop all programs in reverse order, then supervisord. Raises EmbeddedError when that takes too long."""

    def gone() -> bool:
        # It sees signals and ended programs once a second, unless somebody asks it something.
        with suppress(EmbeddedError):
            Control(folder.socket).pid()
        return daemon not in process_ids() or find_daemon(folder) != daemon

    with suppress(ProcessLookupError):
        os.kill(daemon, signal.SIGTERM)
    if not wait_until(gone, seconds):
        raise EmbeddedError(
            f"supervisord (pid {daemon}) did not end within {seconds:.0f} s; {folder.log('supervisord')} says what "
            "it waits for; stop again to wait longer"
        )


@contextmanager
def only_one(folder: Folder, seconds: float) -> Iterator[None]:
    """Hold the folder's lock: one start or stop at a time. Raises EmbeddedError when another one holds it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_folder(folder.root, seconds))
        except TimeoutError:
            raise EmbeddedError(
                f"another start or stop of {folder.root} did not end within {seconds:.0f} s"
            ) from None
        yield
