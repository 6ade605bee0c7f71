"""A CycloneDX document of an image's packages, the same bytes for the same image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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

from .packages import Package

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
