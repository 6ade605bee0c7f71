"""What is done on the host of an environment, with nothing but Python's standard library.

Operations take and give plain data that JSON can hold, so that they may be called over a connection; ``hosts`` does.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ..diagnosis.ports import port_users
from ..images.references import engine_images, images_present, registry_answers
from ..images.sbom.packages import packages_of
from ..rendering.files import RenderedFile
from ..runtimes.belongings import Names, find_belongings, remove_belongings
from ..runtimes.compose.engine import probe_engine
from ..runtimes.compose.project import NotReadyError, get_ready, stop
from ..runtimes.running import find_environment
from .apply import apply_tree
from .manifest import read_record

PackedFiles = Mapping[str, tuple[str, int, int | None]]


def pack(value: Any) -> str:
    """JSON, compressed, in base64."""
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


def unpack(text: str) -> Any:
    """The reverse of ``pack``."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def pack_files(files: Mapping[str, RenderedFile]) -> dict[str, tuple[str, int, int | None]]:
    """Files as plain data that JSON can hold."""
    return {
        path: (base64.b64encode(file.content).decode(), file.mode, file.owner)
        for path, file in files.items()
    }


def unpack_files(files: PackedFiles) -> dict[str, RenderedFile]:
    """The reverse of ``pack_files``."""
    return {
        path: RenderedFile(base64.b64decode(content), mode, owner)
        for path, (content, mode, owner) in files.items()
    }


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


def _compose(work: Callable[..., list[str]], **arguments: Any) -> dict[str, str | list[str]]:
    """``found``, what one of compose.project's functions returns, or ``problem``, why it refuses."""
    try:
        return {"problem": "", "found": work(**arguments)}
    except NotReadyError as refused:
        return {"problem": str(refused), "found": []}


def _apply(root: str, files: PackedFiles, **options: Any) -> dict[str, Any]:
    """See apply.apply_tree."""
    return asdict(apply_tree(Path(root), unpack_files(files), **options))


def _packages(reference: str) -> list[dict[str, Any]]:
    """See sbom.packages.Package. Raises SbomError."""
    return [asdict(package) for package in packages_of(reference)]


def _belongings(names: dict[str, Any]) -> dict[str, Any]:
    """See belongings.Belongings."""
    return asdict(find_belongings(Names(**names)))


def _remove_belongings(names: dict[str, Any], data: bool) -> list[str]:
    """See belongings.remove_belongings."""
    return remove_belongings(Names(**names), data)


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "engine": _engine,
    "images": _images,
    "engine_images": engine_images,
    "registry": registry_answers,
    "rendered": _rendered,
    "compose_ready": partial(_compose, get_ready),
    "compose_stopped": partial(_compose, stop),
    "apply": _apply,
    "packages": _packages,
    "belongings": _belongings,
    "remove_belongings": _remove_belongings,
    "port_users": port_users,
}
