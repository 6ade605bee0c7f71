"""Stop an environment's programs cleanly; what they have stored stays."""

from __future__ import annotations

import os
from contextlib import suppress

from .daemon import end_daemon, find_daemon, only_one
from .errors import EmbeddedError
from .folder import Folder
from .processes import Started, end_family, read_started
from .staging import clear_staging

KEPT = {"pgpass"}


def stop(folder: Folder, timeout: float, check: bool = False) -> list[str]:
    """Stop everything that runs, the API first, PostgreSQL last. Returns names of what ran. Raises EmbeddedError."""
    if not folder.root.is_dir():
        return []
    daemon = find_daemon(folder)
    ran = [*_alive(folder), *(["supervisord"] if daemon is not None else [])]
    if check or not ran:
        return ran
    with only_one(folder, timeout):
        daemon = find_daemon(folder)
        if daemon is not None:
            end_daemon(folder, daemon, timeout)
        end_leftovers(folder, timeout)
        _clean(folder)
        clear_staging(folder.root.parent)
    return ran


def _alive(folder: Folder) -> dict[str, Started]:
    """The programs that have processes, by name, the one started last first."""
    noted = {path.stem: read_started(path) for path in folder.run.glob("*.json")}
    alive = [(name, one) for name, one in noted.items() if one is not None and one.family()]
    return dict(sorted(alive, key=lambda item: item[1].ticks, reverse=True))


def end_leftovers(folder: Folder, timeout: float) -> None:
    """End what outlived its supervisord. Raises EmbeddedError when something does not end."""
    for started in _alive(folder).values():
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
