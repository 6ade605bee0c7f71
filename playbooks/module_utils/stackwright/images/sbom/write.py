"""Write the bill of materials of each of an environment's images that has none yet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packageurl import PackageURL
from packaging.utils import canonicalize_name

from ...output.write import make_folder
from .packages import Package, packages_of

Images = Mapping[str, tuple[str, str, str]]
Read = Callable[[str], Sequence[Package]]


def write_missing_sboms(folder: Path, images: Images, read: Read = packages_of) -> list[str]:
    """Write ``<service>.cdx.json`` for each image without one, remove those of services that are gone.

    ``images`` has by service the reference, the engine's identity of the image (sha256:…) and its time of creation.
    ``read`` lists the packages in an image of the engine that has it.
    Returns the names of the files written or removed. Raises SbomError or OSError.
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
    from .document import ImageFacts, document_of

    facts = ImageFacts(*image)
    text = document_of(facts, resolve(read(facts.reference)))
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)
    os.replace(temporary, path)


def resolve(found: Iterable[Package]) -> list[Package]:
    """Packages in one spelling, sorted, each once; of the parts of a wheel those that nothing else installed."""
    own = [_normalised(package) for package in found if not package.purl]
    known = {(package.kind, package.name) for package in own}
    parts = [part for package in found if package.purl for part in _parsed(package)]
    return sorted({*own, *(part for part in parts if (part.kind, part.name) not in known)})


def _normalised(package: Package) -> Package:
    return (
        replace(package, name=canonicalize_name(package.name))
        if package.kind == "pypi"
        else package
    )


def _parsed(package: Package) -> list[Package]:
    """A part by its package URL; none where that is no such URL."""
    try:
        url = PackageURL.from_string(package.purl)
    except ValueError:
        return []
    part = Package(url.type, url.name, package.version, package.licences, url.namespace or "")
    return [_normalised(part)]
