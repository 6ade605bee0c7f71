"""Bring the files of an environment onto this host, or say what that would change: the transaction.

What comes back tells paths and differences, complete but without secrets; never a content.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..rendering.files import RenderedFile
from ..secrets.masking import MASK, Masker
from ..system import lock_folder
from .manifest import NEXT_MANIFEST, TreeError, read_manifest
from .plan import Plan, digest, mode_and_owner, plan_tree
from .write import apply_plan, make_folder

# A verification, which works in that folder too, is over by then.
LOCK_SECONDS = 150.0

BEFORE, AFTER = f"{MASK} (before)", f"{MASK} (after)"
# Where services receive secrets in environment delivery; an old value is not known, only where it stands.
SECRET_LINE = re.compile(
    r"^(\s*\"?[A-Z_]*(?:PASSWORD|TOKEN|SECRET)\"?\s*[=:]\s*)(.+)$", re.MULTILINE
)


@dataclass(frozen=True)
class ApplyResult:
    """What applying a tree changes, or did. Paths are relative to its folder.

    ``recorded`` says that the manifest there has these very contents. ``error`` is empty, or why it failed, with
    ``error_path`` and, where one is known, ``error_fix``; ``partial`` then tells that some files were replaced, which
    the next run completes.
    """

    changed: list[str]
    pruned: list[str]
    edited: list[str]
    mode_changes: list[str]
    is_noop: bool = True
    recorded: bool = False
    diff: list[dict[str, str]] | None = None
    error: str = ""
    error_path: str = ""
    error_fix: str = ""
    partial: bool = False


def _masked(text: str, secrets: Iterable[str], mask: str) -> str:
    return Masker(secrets, mask).text(SECRET_LINE.sub(lambda match: match[1] + mask, text))


def _mode_line(mode: int, owner: int) -> str:
    return f"mode {mode:04o}, user id {owner}\n"


def _entry(target: Path, before: str, after: str) -> dict[str, str]:
    return {
        "before": before,
        "after": after,
        "before_header": str(target),
        "after_header": str(target),
    }


def diff_of(plan: Plan, secrets: Iterable[str]) -> list[dict[str, str]]:
    """One entry per changed or pruned file, in the form of Ansible's ``diff`` result, secrets masked on both sides.

    A file or folder that only gets another mode or owner shows those.
    """
    words = list(secrets)
    entries = []
    for path in [*plan.changed, *plan.pruned]:
        target = plan.root / path
        before = target.read_bytes().decode(errors="replace") if target.exists() else ""
        after = plan.files[path].content.decode(errors="replace") if path in plan.files else ""
        if path.startswith("secrets/"):
            before, after = (BEFORE + "\n") if before else "", (AFTER + "\n") if after else ""
        else:
            same = SECRET_LINE.findall(before) == SECRET_LINE.findall(after)
            before, after = (
                _masked(before, words, MASK if same else BEFORE),
                _masked(after, words, MASK if same else AFTER),
            )
        entries.append(_entry(target, before, after))
    for path in plan.mode_changes:
        target, status = plan.root / path, (plan.root / path).stat()
        before = _mode_line(status.st_mode & 0o777, status.st_uid)
        after = (
            _mode_line(plan.folders[path], status.st_uid)
            if path in plan.folders
            else _mode_line(*mode_and_owner(plan.files[path]))
        )
        entries.append(_entry(target, before, after))
    return entries


def apply_tree(
    root: Path,
    files: Mapping[str, RenderedFile],
    record: Mapping[str, Any],
    *,
    write: bool = False,
    overwrite: bool = False,
    diff: bool = False,
    hidden: Iterable[str] = (),
) -> ApplyResult:
    """Compare ``files`` with what is below ``root`` and, with ``write``, make it so, alone in that folder.

    Over edits only with ``overwrite``. ``diff`` asks for the differences, with the texts ``hidden`` masked. Never
    raises OSError: see ``error``.
    """
    try:
        with ExitStack() as stack:
            if write:
                make_folder(root)
                stack.enter_context(lock_folder(root, LOCK_SECONDS))
            plan = plan_tree(root, files, record)
            hashes = {path: digest(file.content) for path, file in files.items()}
            recorded = hashes == read_manifest(root).get("files")
            differences = diff_of(plan, hidden) if diff else None
            if write and not plan.is_noop and (overwrite or not plan.edited):
                apply_plan(plan)
    except OSError as error:
        return ApplyResult(
            [], [], [], [],
            error=error.strerror or type(error).__name__,
            error_path=str(error.filename or root),
            error_fix=error.fix if isinstance(error, TreeError) else "",
            partial=os.path.lexists(root / NEXT_MANIFEST),
        )  # fmt: skip
    return ApplyResult(
        plan.changed,
        plan.pruned,
        plan.edited,
        plan.mode_changes,
        plan.is_noop,
        recorded,
        differences,
    )
