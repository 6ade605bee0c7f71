"""Compare a rendered tree with what is on disk: what would change, what goes, and what somebody edited.

A manifest keeps the hash of every file written. A file that no longer has that hash was edited by hand. While files are
replaced, ``manifest.next.json`` holds every hash that a file may have in the meantime, so that a run cut in the middle
(or two of them, with other settings) is no edit either, and nothing it would have pruned is forgotten. ``write`` does
what a plan says.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..rendering.files import RenderedFile
from .manifest import MANIFEST, NEXT_MANIFEST, check_places, known_hashes

OPEN = 0o755
WRITABLE_BY_OTHERS = 0o022
ROOT = "."


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Plan:
    """What writing would do below ``root``. Paths are relative; ``manifest`` is the new one, as bytes.

    ``known`` holds, by path, the hashes that are ours before, during and after writing; ``folders`` the mode of every
    folder. ``mode_changes`` are files and folders that have another mode or owner than they should.
    """

    root: Path
    files: Mapping[str, RenderedFile]
    manifest: bytes
    changed: list[str]
    pruned: list[str]
    edited: list[str]
    known: Mapping[str, set[str]]
    folders: Mapping[str, int]
    mode_changes: list[str] = field(default_factory=list)
    manifest_changed: bool = False

    @property
    def is_noop(self) -> bool:
        """Whether the tree is already as it should be."""
        return not (self.changed or self.pruned or self.mode_changes or self.manifest_changed)


def _current(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def mode_and_owner(file: RenderedFile) -> tuple[int, int]:
    """Mode and user id that the file gets here.

    Only root can give a file away; others leave a secret readable to the container, inside a closed folder.
    """
    me = os.geteuid()
    if file.owner is None or me == 0:
        return file.mode, me if file.owner is None else file.owner
    return file.mode | 0o044, me


def _needs_mode(path: Path, file: RenderedFile) -> bool:
    status = path.stat()
    return (status.st_mode & 0o777, status.st_uid) != mode_and_owner(file)


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


def plan_tree(root: Path, files: Mapping[str, RenderedFile], record: Mapping[str, Any]) -> Plan:
    """Compare ``files`` with what is below ``root``; ``record`` goes into the manifest beside the hashes.

    Raises OSError, and TreeError for what would lead out of ``root``.
    """
    hashes = {path: digest(file.content) for path, file in sorted(files.items())}
    manifest = (
        json.dumps({**record, "files": hashes}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )
    known = known_hashes(root)
    check_places(root, {*files, *known})
    folders = planned_folders(root, files)
    changed, edited = [], []
    mode_changes = [
        folder for folder, mode in folders.items() if mode_of(root / folder) not in (mode, None)
    ]
    for path, file in sorted(files.items()):
        current = _current(root / path)
        # A link is replaced: what it leads to is none of ours, its mode neither.
        if current == file.content and not (root / path).is_symlink():
            if _needs_mode(root / path, file):
                mode_changes.append(path)
            continue
        changed.append(path)
        ours = {*known.get(path, ()), hashes[path]}
        if current is not None and digest(current) not in ours:
            edited.append(path)
    pruned = []
    for path in sorted(known.keys() - files.keys()):
        current = _current(root / path)
        if current is not None:
            pruned.append(path)
            if digest(current) not in known[path]:
                edited.append(path)
    content = manifest.encode()
    manifest_changed = _current(root / MANIFEST) != content or (root / NEXT_MANIFEST).exists()
    for path, hexdigest in hashes.items():
        known.setdefault(path, set()).add(hexdigest)
    return Plan(
        root,
        files,
        content,
        changed,
        pruned,
        edited,
        known,
        folders,
        mode_changes,
        manifest_changed,
    )
