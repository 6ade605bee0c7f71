"""What is asked of the host of an environment. It needs no more than Python's standard library for the answers.

Questions take and give plain data that JSON can hold, so that they may be asked over a connection; ``hosts`` asks them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..images.base_images import registry_answers
from ..images.sbom.reading import packages_of
from ..runtimes.belongings import Names, find_belongings, remove_belongings
from ..runtimes.compose.engine import images_present, probe_engine
from ..runtimes.port_users import port_users
from ..runtimes.running import find_environment, note_started
from .apply import Wire, from_wire, settle
from .manifest import read_record


def _engine() -> dict[str, Any]:
    """See engine.Engine."""
    return asdict(probe_engine())


def _images(references: list[str]) -> list[str]:
    """Which of them the engine has."""
    return sorted(images_present(references))


def _rendered(root: str) -> dict[str, Any]:
    """What rendering recorded in ``root``, and what there is of it now; empty where nothing is rendered.

    See running.Presence; ``now`` is the time there in Unix seconds. Raises OSError, TreeError.
    """
    record = read_record(Path(root))
    if not record:
        return {}
    found = find_environment(Path(root), record["project"])
    return {"record": record, "now": time.time(), **asdict(found)}


def _note_started(root: str, runtime: str, started: bool) -> str:
    """See running.note_started. Returns ``new``, nothing, or why it cannot be noted."""
    try:
        return "new" if note_started(Path(root), runtime, started) else ""
    except OSError as error:
        return f"{error.filename}: {error.strerror}"


def _settle(root: str, files: Wire, **options: Any) -> dict[str, Any]:
    """See settling.settle."""
    return asdict(settle(Path(root), from_wire(files), **options))


def _packages(reference: str) -> list[dict[str, Any]]:
    """See bills.package.Package. Raises BillError."""
    return [asdict(package) for package in packages_of(reference)]


def _belongings(names: dict[str, Any]) -> dict[str, Any]:
    """See belongings.Belongings."""
    return asdict(find_belongings(Names(**names)))


def _remove_belongings(names: dict[str, Any], data: bool) -> list[str]:
    """See belongings.remove_belongings."""
    return remove_belongings(Names(**names), data)


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "engine": _engine,
    "images": _images,
    "registry": registry_answers,
    "rendered": _rendered,
    "note_started": _note_started,
    "settle": _settle,
    "packages": _packages,
    "belongings": _belongings,
    "remove_belongings": _remove_belongings,
    "port_users": port_users,
}
