"""Give everybody a file or tree to read, in a place that they may enter: links where that does, else copies."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection
from contextlib import suppress
from importlib.metadata import Distribution
from pathlib import Path

FOLDER, PROGRAM, FILE = 0o755, 0o755, 0o644


def open_folder(path: Path) -> None:
    """Make a folder that everybody may enter and only we write, whatever the umask."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(FOLDER)


def lend(source: Path, target: Path) -> None:
    """One file or link, unless it is there. A copy where a hard link is impossible, or closed too."""
    open_folder(target.parent)
    if os.path.lexists(target):
        return
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
        return
    mode = source.stat().st_mode
    wanted = PROGRAM if mode & 0o100 else FILE
    if mode & wanted & 0o005 == wanted & 0o005:
        with suppress(OSError):
            target.hardlink_to(source)
            return
    shutil.copyfile(source, target)
    target.chmod(wanted)


def lend_tree(source: Path, target: Path, without: Collection[str] = ()) -> None:
    """All of a folder but what is called as one of ``without``. Raises OSError."""
    for folder, names, files in os.walk(source):
        names[:] = [name for name in names if name not in without]
        place = target / os.path.relpath(folder, source)
        open_folder(place)
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        for name in (*files, *links):
            lend(Path(folder, name), place / name)


def lend_package(package: Distribution, target: Path) -> None:
    """An installed Python package, in ``target`` where it is in this Python environment."""
    for file in package.files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.is_file():
            lend(source, target / source.relative_to(sys.prefix))
