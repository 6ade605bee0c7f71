"""Bring the files of an environment onto this host, or say what that would change: the transaction, called from afar.

Contents travel as base64, whole trees at a time; what comes back tells paths and masked differences, never a content.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..rendering.rendered_file import RenderedFile
from ..system import lock_folder
from .diff import diff_of
from .folders import make_folder
from .manifest import NEXT_MANIFEST, TreeError, read_manifest
from .plan import digest, plan_tree
from .write import apply_plan

# A verification, which works in that folder too, is over by then.
LOCK_SECONDS = 150.0

Wire = Mapping[str, tuple[str, int, int | None]]


@dataclass(frozen=True)
class Settled:
    """What writing a tree changes, or did. Paths are relative to its folder.

    ``recorded`` says that the manifest there has these very contents. ``trouble`` is empty, or why it failed, with
    ``trouble_path`` and, where one is known, ``trouble_fix``; ``begun`` then tells that some files were replaced, which
    the next writing completes.
    """

    changed: list[str]
    pruned: list[str]
    edited: list[str]
    remode: list[str]
    is_noop: bool = True
    recorded: bool = False
    diff: list[dict[str, str]] | None = None
    trouble: str = ""
    trouble_path: str = ""
    trouble_fix: str = ""
    begun: bool = False


def to_wire(files: Mapping[str, RenderedFile]) -> dict[str, tuple[str, int, int | None]]:
    """Files as plain data that JSON can hold."""
    return {
        path: (base64.b64encode(file.content).decode(), file.mode, file.owner)
        for path, file in files.items()
    }


def from_wire(files: Wire) -> dict[str, RenderedFile]:
    """The reverse of ``to_wire``."""
    return {
        path: RenderedFile(base64.b64decode(content), mode, owner)
        for path, (content, mode, owner) in files.items()
    }


def settle(
    root: Path,
    files: Mapping[str, RenderedFile],
    record: Mapping[str, Any],
    *,
    write: bool = False,
    overwrite: bool = False,
    diff: bool = False,
    hidden: Iterable[str] = (),
) -> Settled:
    """Compare ``files`` with what is below ``root`` and, with ``write``, make it so, alone in that folder.

    Over edits only with ``overwrite``. ``diff`` asks for the differences, with the texts ``hidden`` masked. Never
    raises OSError: see ``trouble``.
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
        return Settled(
            [], [], [], [],
            trouble=error.strerror or type(error).__name__,
            trouble_path=str(error.filename or root),
            trouble_fix=error.fix if isinstance(error, TreeError) else "",
            begun=os.path.lexists(root / NEXT_MANIFEST),
        )  # fmt: skip
    return Settled(
        plan.changed, plan.pruned, plan.edited, plan.remode, plan.is_noop, recorded, differences
    )
