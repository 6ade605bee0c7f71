"""Show that a long step is under way: a line with its seconds, redrawn on a terminal and now and then anew elsewhere.

As a program it runs a command so, with nothing but Python's own library: ``progress.py WHAT COMMAND ARGUMENT…``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

SOON_SECONDS = 1.0  # what is over by then need not be announced
_TICK_SECONDS = 0.25
LINE_SECONDS = 10  # between lines where nothing can be redrawn
_ERASE = "\r\x1b[K"


class Ticker:
    """One step at a time, timed by a thread; all that is printed meanwhile goes through ``printing``."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._owner = os.getpid()
        self._redraws = sys.stdout.isatty()
        self._announce: Callable[[], None] | None = None
        self._begin = 0.0
        self._said = 0
        self._drawn = False
        self._thread: threading.Thread | None = None

    def begin(self, announce: Callable[[], None] | None) -> None:
        """A step begins and the one before is over; ``announce`` says so, unless the step ends at once.

        None: nothing is under way.
        """
        with self.lock:
            self.erase()
            self._announce, self._begin, self._said = announce, time.monotonic(), 0
            if announce and self._thread is None:
                self._thread = threading.Thread(target=self._tick, daemon=True)
                self._thread.start()

    def printing(self, write: Callable[[], None]) -> None:
        """Print something else. Processes forked from this one draw nothing, and have no thread that would."""
        if os.getpid() != self._owner:
            write()
            return
        with self.lock:
            self.erase()
            write()

    def erase(self) -> None:
        """Take the redrawn line away."""
        if self._drawn:
            self._drawn = False
            sys.stdout.write(_ERASE)
            sys.stdout.flush()

    def _tick(self) -> None:
        while True:
            time.sleep(_TICK_SECONDS)
            with self.lock:
                seconds = time.monotonic() - self._begin
                if self._announce and seconds >= SOON_SECONDS:
                    self._show(int(seconds))

    def _show(self, seconds: int) -> None:
        assert self._announce
        if not self._said:
            self._announce()
            self._said = 1
        if seconds <= self._said or (not self._redraws and seconds % LINE_SECONDS):
            sys.stdout.flush()
            return
        self._said = seconds
        line = f"  … {seconds} s"
        sys.stdout.write(f"{_ERASE}{line}" if self._redraws else f"{line}\n")
        self._drawn = self._redraws
        sys.stdout.flush()


def run(what: str, command: list[str]) -> int:
    """Run a command and print what it prints, its seconds below. Returns its exit code."""
    ticker = Ticker()
    begin = time.monotonic()
    print(f"{what} …", flush=True)
    ticker.begin(lambda: None)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout
        for line in process.stdout:
            text = line.decode(errors="replace")
            ticker.printing(partial(print, text, end="", flush=True))
    ticker.begin(None)
    outcome = "done" if process.returncode == 0 else f"failed with exit code {process.returncode}"
    print(f"{what}: {outcome} after {time.monotonic() - begin:.0f} s", flush=True)
    return process.returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
