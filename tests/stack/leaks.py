"""Looking for marked secrets: in bytes, in files, and in every process while something runs."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CHUNK = 1 << 20


def leaks_in(mark: bytes, *command: str) -> bool:
    """Whether the output of a command, however long, holds the mark. Fails the test if the command does."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        found, rest = False, b""
        while chunk := process.stdout.read(_CHUNK):
            found = found or mark in rest + chunk
            rest = chunk[-len(mark) :]
    assert process.returncode == 0, f"{command}: {rest.decode(errors='replace')}"
    return found


class ProcessWatch:
    """Command lines and environments of all processes of this machine, those of containers included."""

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.found: set[str] = set()
        self.rounds = 0

    def look(self) -> None:
        """Look at every process once."""
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    content = (folder / name).read_bytes()
                    if self.mark in content:
                        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                        self.found.add(f"{name} of {words.decode(errors='replace')[:200]}")
        self.rounds += 1

    @contextmanager
    def all_the_while(self) -> Iterator[None]:
        """Look again and again, from another thread."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                self.look()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
