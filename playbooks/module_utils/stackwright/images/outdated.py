"""What is behind: Python packages, images of registries, and Debian packages in the stand-ins. Looks, never changes.

Each part answers in lines of text, and says in one line why it cannot where nobody answers.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ..runtimes.compose.engine import SilentEngineError
from ..system import CommandError, run_checked
from .content_hash import locked
from .references import engine_images
from .registry import RegistryError, current_digest, registry_images

INDEX_SECONDS = 120
MIRROR_SECONDS = 120
SHOWN_DIGITS = 19  # sha256: and twelve digits
# A line of `apt-get --simulate`: Inst NAME [OLD] (NEW SUITE …
UPGRADE = re.compile(r"^Inst (\S+) \[([^\]]+)\] \((\S+)", re.MULTILINE)


def python_lines(locks: Mapping[str, Path]) -> list[str]:
    """Packages with a newer release for this Python; ``locks`` are lock files by what they are for."""
    pins = {place: locked(path.read_text(encoding="utf-8")) for place, path in locks.items()}
    names = {name for packages in pins.values() for name in packages}
    try:
        newer = _newer_releases()
    except (CommandError, ValueError) as error:
        return [f"Python packages: not known, the package index did not answer ({_reason(error)})"]
    table = [
        (name, entry["version"], entry["latest_version"], _places(name, pins))
        for entry in newer
        if (name := canonicalize_name(entry["name"])) in names
    ]
    head = f"Python packages: {len(table)} of {len(names)} are behind"
    return [
        head,
        *_columns([(name, f"{old} -> {new}", places) for name, old, new, places in table]),
    ]


def _newer_releases() -> list[dict[str, str]]:
    uv = Path(sys.executable).with_name("uv")
    index = os.environ.get("PIP_INDEX_URL")
    command = [str(uv), "pip", "list", "--outdated", "--format", "json", "--python", sys.executable]
    done = run_checked(command, INDEX_SECONDS, {"UV_DEFAULT_INDEX": index} if index else None)
    found: list[dict[str, str]] = json.loads(done.out)
    return found


def _places(name: str, pins: Mapping[str, Mapping[str, str]]) -> str:
    return ", ".join(place for place, packages in pins.items() if name in packages)


def _reason(error: Exception) -> str:
    """What went wrong in one line; an address may hold a password, so none is shown."""
    return re.sub(r"\S+://\S+", "…", str(error).splitlines()[-1].strip())


def image_lines(values: Mapping[str, Any]) -> list[str]:
    """Images of registries: the recorded digest beside the one the tag has now."""
    table = []
    for reference in registry_images(values):
        recorded = values["image_digests"].get(reference, "")
        try:
            now = current_digest(reference, values["registry_timeout_seconds"])
        except RegistryError as error:
            table.append((reference, _short(recorded), f"not known: {error}"))
            continue
        state = f"tag is {_short(now)}: " if now != recorded else ""
        state += {now: "up to date", "": "`make pin` records it"}.get(
            recorded, "behind, `make pin`"
        )
        table.append((reference, _short(recorded), state))
    return ["Images of registries:", *_columns(table)] if table else []


def _short(digest: str) -> str:
    return digest[:SHOWN_DIGITS] if digest else "not pinned"


def debian_lines(stand_ins: Iterable[str]) -> list[str]:
    """Debian packages, in those of the stand-in images that the engine has, that the mirror has newer."""
    try:
        images = sorted(engine_images(list(stand_ins)))
    except SilentEngineError as silent:
        if not silent.absent:
            return [f"Debian packages: not known, {silent}"]
        images = []
    if not images:
        return ["Debian packages: no stand-in image is here"]
    with ThreadPoolExecutor(len(images)) as pool:
        answers = pool.map(_upgrade_rows, images)
    return ["Debian packages in the stand-ins:", *_columns(row for rows in answers for row in rows)]


def _upgrade_rows(image: str) -> list[tuple[str, str]]:
    try:
        upgrades = _upgrades(image)
    except CommandError as error:
        return [(image, f"not known: {_reason(error)}")]
    head = (image, f"{len(upgrades)} behind" if upgrades else "up to date")
    return [head, *(("", f"{name}  {old} -> {new}") for name, old, new in upgrades)]


def _upgrades(image: str) -> list[tuple[str, str, str]]:
    """Name, version and newer version of packages, asked in a container that is gone afterwards."""
    script = "apt-get -qq update >&2 && apt-get -qq --simulate dist-upgrade"
    command = ["docker", "run", "--rm", "--user", "0", "--entrypoint", "sh", image, "-c", script]
    done = run_checked(command, MIRROR_SECONDS)
    # With a mirror that does not answer, `apt-get update` warns and succeeds.
    if re.search(r"^[WE]:", done.err, re.MULTILINE):
        raise CommandError(done)
    return UPGRADE.findall(done.out)


def _columns(table: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows with their columns below each other."""
    rows = list(table)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
