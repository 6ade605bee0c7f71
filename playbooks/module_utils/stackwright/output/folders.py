"""Folders with the modes they are meant to have, whatever the umask of whoever runs us."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

OPEN = 0o755
WRITABLE_BY_OTHERS = 0o022
ROOT = "."


def make_folder(path: Path, mode: int = OPEN) -> None:
    """Make a folder with this mode, and the folders around it that are missing with 0755. Raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(mode)


def planned_folders(root: Path, paths: Iterable[str]) -> dict[str, int]:
    """Mode of every folder around ``paths`` by its path below ``root``, and that of ``root`` itself as ``.``.

    Containers read configuration as users of their own, so others may look into folders; into those of secrets they
    may not. A root that is there keeps what its owner closed, but nobody else writes into it.
    """
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    # Only root can give files away: without it, what keeps secrets is that nobody else enters their folder.
    closed = 0o711 if os.geteuid() == 0 else 0o700
    modes = {
        folder: closed if PurePosixPath(folder).parts[:1] == ("secrets",) else OPEN
        for folder in sorted(folders)
    }
    now = mode_of(root)
    modes[ROOT] = OPEN if now is None else now & ~WRITABLE_BY_OTHERS
    return modes


def mode_of(folder: Path) -> int | None:
    """Permissions of a folder; None where there is none."""
    try:
        return stat.S_IMODE(folder.stat().st_mode) & 0o777
    except FileNotFoundError:
        return None


def set_mode(folder: Path, mode: int) -> None:
    """Give a folder these permissions; the bits beside them (setgid, sticky) stay."""
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~0o777 | mode)
