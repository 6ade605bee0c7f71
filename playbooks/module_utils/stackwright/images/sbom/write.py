"""Write the bill of materials of each of an environment's images that has none yet: a CycloneDX document.

It is the same bytes for the same image.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.spdx import is_supported_id
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from ...output.write import make_folder
from .packages import Package, packages_of

IMAGE_ID = "stackwright:image:id"
VERSION = SchemaVersion.V1_6


@dataclass(frozen=True)
class ImageFacts:
    """``reference`` as in the compose file, the engine's ``identity`` (sha256:…) and time of creation (ISO 8601)."""

    reference: str
    identity: str
    created: str


def document_of(image: ImageFacts, packages: Sequence[Package]) -> str:
    """The document as indented JSON. It holds nothing of the moment or the machine it was written on."""
    name, _, version = image.reference.partition("@")[0].rpartition(":")
    subject = Component(
        type=ComponentType.CONTAINER,
        name=name,
        version=version,
        bom_ref="image",
        properties=[Property(name=IMAGE_ID, value=image.identity)],
    )
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, image.identity),
        metadata=BomMetaData(component=subject, timestamp=datetime.fromisoformat(image.created)),
    )
    components = [_component(package) for package in packages]
    bom.components.update(components)
    bom.register_dependency(subject, components)
    return str(make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string(indent=2)) + "\n"


def _component(package: Package) -> Component:
    qualifiers = {"arch": package.architecture} if package.architecture else None
    purl = PackageURL(
        package.kind, package.namespace or None, package.name, package.version, qualifiers
    )
    return Component(
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=_licences(package.licences),
    )


def _licences(texts: Sequence[str]) -> list[License]:
    """One expression, or a list of identifiers and names: CycloneDX allows no mixture."""
    factory = LicenseFactory()
    declared = LicenseAcknowledgement.DECLARED
    if len(texts) == 1:
        return [factory.make_from_string(texts[0], license_acknowledgement=declared)]
    make = {True: factory.make_with_id, False: factory.make_with_name}
    return [make[is_supported_id(text)](text, acknowledgement=declared) for text in texts]


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
    from .write import ImageFacts, document_of

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
