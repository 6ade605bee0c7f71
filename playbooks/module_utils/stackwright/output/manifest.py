"""The manifest of an environment's folder: what rendering recorded, and a hash of every file it wrote.

It lies where people and programs can write, so nothing in it is believed that could lead out of the folder.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

MANIFEST, NEXT_MANIFEST = "manifest.json", "manifest.next.json"
RECORD_TYPES: Mapping[str, type] = {
    "environment": str, "project": str, "runtime": str, "base_images": str,
    "services": list, "images": dict, "stand_ins": dict,
}  # fmt: skip
RUNTIMES = ("compose", "embedded")


class TreeError(OSError):
    """Something in an environment's folder that must not be followed; ``fix`` says what to do about it."""

    def __init__(self, path: Path, reason: str, fix: str) -> None:
        super().__init__(errno.EINVAL, reason, str(path))
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}; {self.fix}"


def read_manifest(root: Path, name: str = MANIFEST) -> dict[str, Any]:
    """The manifest below ``root``; empty where there is none or it is damaged. Raises OSError if it cannot be read."""
    try:
        manifest = json.loads((root / name).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def known_hashes(root: Path) -> dict[str, set[str]]:
    """The hashes of what was written here before, by path; several where a run was cut in the middle.

    Raises TreeError for a manifest that names what is not below ``root``, or has no hashes.
    """
    known: dict[str, set[str]] = {}
    for name in (MANIFEST, NEXT_MANIFEST):
        files = read_manifest(root, name).get("files")
        for path, hexdigests in files.items() if isinstance(files, dict) else ():
            found = [hexdigests] if isinstance(hexdigests, str) else hexdigests
            if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
                raise _damaged(root / name, f"has no hash for {path!r}")
            if not _is_below(path):
                raise _damaged(root / name, f"names {path!r}, which is not below its folder")
            known.setdefault(path, set()).update(found)
    return known


def read_record(root: Path) -> dict[str, Any]:
    """What rendering recorded beside the hashes; empty where nothing is rendered. Raises OSError, TreeError."""
    record = {name: value for name, value in read_manifest(root).items() if name != "files"}
    if not record:
        return {}
    for name, kind in RECORD_TYPES.items():
        if not isinstance(record.get(name, kind()), kind) or not record.get("project"):
            raise _damaged(root / MANIFEST, f"has no usable {name}")
    if record.get("runtime", "compose") not in RUNTIMES:
        raise _damaged(root / MANIFEST, "has no usable runtime")
    if not all(isinstance(name, str) for name in record.get("services", [])):
        raise _damaged(root / MANIFEST, "has no usable services")
    return record


def check_places(root: Path, paths: set[str]) -> None:
    """Refuse folders below ``root`` that are links or files. Raises TreeError, NotADirectoryError."""
    folders = {parent for path in paths for parent in PurePosixPath(path).parents}
    for folder in sorted(root / folder for folder in folders if folder.parts):
        if folder.is_symlink():
            raise TreeError(
                folder,
                "is a link, and what belongs below it would be written and removed elsewhere",
                "put a folder there, or set stack_output_dir to where the files are to be",
            )
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(folder))


def _is_below(path: str) -> bool:
    """Whether a path is relative, in its one spelling, and leads nowhere else."""
    pure = PurePosixPath(path)
    plain = bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts
    return plain and str(pure) == path and "\0" not in path


def _damaged(path: Path, reason: str) -> TreeError:
    fix = "nothing was removed; delete this file and render again, with -e render_overwrite_edits=true if asked to"
    return TreeError(path, reason, fix)
