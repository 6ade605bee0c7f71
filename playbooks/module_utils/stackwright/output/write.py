"""Write a tree of files as one transaction: all of it, or nothing."""

from __future__ import annotations

import glob
import json
import os
import secrets
import stat
from pathlib import Path

from ..rendering.files import RenderedFile
from .manifest import MANIFEST, NEXT_MANIFEST
from .plan import OPEN, ROOT, Plan, mode_and_owner


def make_folder(path: Path, mode: int = OPEN) -> None:
    """Make a folder with this mode, and the folders around it that are missing with 0755. Raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(mode)


def _set_mode(folder: Path, mode: int) -> None:
    """Give a folder these permissions; the bits beside them (setgid, sticky) stay."""
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~0o777 | mode)


def _write_beside(path: Path, file: RenderedFile) -> Path:
    """Write to a new file in the same folder, on disk for good, and return its path."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    mode, owner = mode_and_owner(file)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.content)
            stream.flush()
            os.fchmod(descriptor, mode)
            if owner != os.geteuid():
                os.fchown(descriptor, owner, -1)
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink()
        raise
    return temporary


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put ``content`` into a file, whole or not at all; a link leads to the file meant.

    Only its owner reads it, unless ``mode`` says otherwise. As root the owner stays who it was, or for a new
    file is that of its folder. Raises OSError with nothing replaced.
    """
    target = path.resolve()
    owner = (target if target.exists() else target.parent).stat().st_uid
    me = os.geteuid()
    file = RenderedFile(content, mode, owner if me == 0 else None)
    os.replace(_write_beside(target, file), target)


def _make_folders(plan: Plan) -> None:
    """Make the folders that are missing; those that are there get their modes when everything else is done."""
    for folder in sorted(plan.folders, key=lambda name: (name != ROOT, name)):
        make_folder(plan.root / folder, plan.folders[folder])


def _announce(plan: Plan) -> None:
    """Note on disk every hash that a file may have from now on, before anything else is written."""
    hashes = {path: sorted(hexdigests) for path, hexdigests in plan.known.items()}
    content = json.dumps({"files": hashes}, indent=2, sort_keys=True).encode()
    target = plan.root / NEXT_MANIFEST
    temporary = _write_beside(target, RenderedFile(content, 0o600))
    try:
        os.replace(temporary, target)
    except OSError:
        temporary.unlink()
        raise


def _stage(plan: Plan) -> dict[Path, Path]:
    """Write all files beside their targets, the manifest last. Returns temporary files by target."""
    files = {plan.root / path: plan.files[path] for path in plan.changed}
    files[plan.root / MANIFEST] = RenderedFile(plan.manifest, 0o600)
    staged: dict[Path, Path] = {}
    try:
        for target, file in files.items():
            staged[target] = _write_beside(target, file)
    except BaseException:
        for temporary in staged.values():
            temporary.unlink()
        raise
    return staged


def remove_empty_folders(target: Path, root: Path) -> None:
    """Remove the folders around a file that is gone, as far as they are empty."""
    for folder in target.parents:
        if folder == root or (folder.is_dir() and any(folder.iterdir())):
            break
        if folder.is_dir():
            folder.rmdir()


def _clean_up(plan: Plan) -> None:
    """Remove what is no longer rendered, and what a killed run left beside its targets."""
    for path in plan.pruned:
        (plan.root / path).unlink(missing_ok=True)
    for path in [*plan.known, MANIFEST, NEXT_MANIFEST]:
        target = plan.root / path
        for leftover in target.parent.glob(f".{glob.escape(target.name)}.{'[0-9a-f]' * 8}"):
            leftover.unlink()
    for path in plan.known.keys() - plan.files.keys():
        remove_empty_folders(plan.root / path, plan.root)


def apply_plan(plan: Plan) -> None:
    """Write what the plan says: all of it, or nothing.

    Raises OSError with nothing replaced when a file cannot be written (disk full, no permission).
    """
    _make_folders(plan)
    completes_another = (plan.root / NEXT_MANIFEST).exists()
    _announce(plan)
    try:
        staged = _stage(plan)
    except BaseException:
        if not completes_another:
            (plan.root / NEXT_MANIFEST).unlink()
        raise
    for target, temporary in staged.items():
        os.replace(temporary, target)
    for path in plan.mode_changes:
        if path in plan.folders:
            _set_mode(plan.root / path, plan.folders[path])
            continue
        mode, owner = mode_and_owner(plan.files[path])
        os.chown(plan.root / path, owner, -1)
        (plan.root / path).chmod(mode)
    _clean_up(plan)
    (plan.root / NEXT_MANIFEST).unlink()
