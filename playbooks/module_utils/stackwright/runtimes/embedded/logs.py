"""Last lines of the programs' logs."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from .errors import EmbeddedError
from .folder import Folder

OWN_LOG = "supervisord"


def size_of(log: Path) -> int:
    """How many bytes a log has; 0 where there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def last_lines(folder: Folder, program: str, count: int, beyond: int = 0) -> list[str]:
    """The last ``count`` lines of a program's log, reaching back into the file rotated last; [] without a log.

    ``beyond`` leaves out the first bytes of the log, and all of it where it was rotated since it had so many.
    """
    path = folder.log(program)
    lines: deque[str] = deque(maxlen=count)
    try:
        for file in (path,) if beyond else (path.with_name(f"{path.name}.1"), path):
            if file.exists():
                with file.open(encoding="utf-8", errors="replace") as stream:
                    stream.seek(beyond if beyond <= size_of(path) else 0)
                    lines.extend(line.rstrip("\n") for line in stream)
    except PermissionError:
        raise EmbeddedError(f"{path} belongs to another user; work as that user") from None
    return list(lines)


def logs(folder: Folder, program: str, count: int) -> dict[str, list[str]]:
    """Last lines of one program, or of all for an empty name. Raises EmbeddedError for a name that is none."""
    names = folder.programs
    if program and program not in [*names, OWN_LOG]:
        raise EmbeddedError(
            f"service {program} is unknown; there are {', '.join(names)}, and {OWN_LOG} itself"
        )
    return {name: last_lines(folder, name, count) for name in ([program] if program else names)}
