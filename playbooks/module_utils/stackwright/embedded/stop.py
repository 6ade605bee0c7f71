"""Stop an environment's programs cleanly; what they have stored stays."""

from __future__ import annotations

import os
from contextlib import suppress

from .daemon import end_daemon, find_daemon, only_one
from .errors import EmbeddedError
from .folder import Folder
from .processes import Started, end_family, read_started

KEPT = {"pgpass"}


def stop(folder: Folder, timeout: float, check: bool = False) -> bool:
    """Stop everything that runs, the API first, PostgreSQL last. Returns whether anything ran. Raises EmbeddedError."""
    if not folder.root.is_dir():
        return False
    daemon = find_daemon(folder)
    if check or (daemon is None and not _leftovers(folder)):
        return daemon is not None or bool(_leftovers(folder))
    with only_one(folder, timeout):
        daemon = find_daemon(folder)
        if daemon is not None:
            end_daemon(folder, daemon, timeout)
        end_leftovers(folder, timeout)
        _clean(folder)
    return True


def _leftovers(folder: Folder) -> list[Started]:
    """Processes that outlived their supervisord, the one started last first."""
    if not folder.run.is_dir():
        return []
    noted = [started for path in folder.run.glob("*.json") if (started := read_started(path))]
    return sorted((one for one in noted if one.family()), key=lambda one: one.ticks, reverse=True)


def end_leftovers(folder: Folder, timeout: float) -> None:
    """End what outlived its supervisord. Raises EmbeddedError when something does not end."""
    for started in _leftovers(folder):
        try:
            end_family(started, timeout)
        except PermissionError:
            raise EmbeddedError(
                f"process {started.pid} is another user's; work as that user"
            ) from None


def _clean(folder: Folder) -> None:
    """Remove what says how to reach processes that are gone."""
    for path in folder.run.iterdir():
        if path.name not in KEPT:
            path.unlink(missing_ok=True)
    with suppress(OSError, EmbeddedError):
        if folder.socket.parent != folder.run:
            os.rmdir(folder.socket.parent)
