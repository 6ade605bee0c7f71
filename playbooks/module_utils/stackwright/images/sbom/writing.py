"""Write the bills of an environment's images, for those that have none yet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...output.write import make_folder
from .package import Package
from .reading import packages_of

Images = Mapping[str, tuple[str, str, str]]
Read = Callable[[str], Sequence[Package]]


def write_missing_bills(folder: Path, images: Images, read: Read = packages_of) -> list[str]:
    """Write ``<service>.cdx.json`` for each image without one, remove those of services that are gone.

    ``images`` has by service the reference, the engine's identity of the image (sha256:…) and its time of creation.
    ``read`` lists the packages in an image of the engine that has it.
    Returns the names of the files written or removed. Raises BillError or OSError.
    """
    wanted = {f"{service}.cdx.json": image for service, image in images.items()}
    changed = []
    for name, image in wanted.items():
        if _identity(folder / name) != image[1]:
            _write(folder / name, image, read)
            changed.append(name)
    for stale in sorted(folder.glob("*.cdx.json")):
        if stale.name not in wanted:
            stale.unlink()
            changed.append(stale.name)
    return changed


def _identity(path: Path) -> str:
    """The image that a bill is of; empty where there is no bill, or one that is damaged."""
    try:
        properties = json.loads(path.read_bytes())["metadata"]["component"]["properties"]
        return str(properties[0]["value"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def _write(path: Path, image: tuple[str, str, str], read: Read) -> None:
    # Only here: the library takes longer to load than a run with nothing to write takes.
    from .bill import ImageFacts, bill_of

    facts = ImageFacts(*image)
    text = bill_of(facts, read(facts.reference))
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)
    os.replace(temporary, path)
