"""Bills of materials: the CycloneDX document."""

from __future__ import annotations

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from stackwright.images.sbom.packages import Package
from stackwright.images.sbom.write import ImageFacts, document_of

IMAGE = ImageFacts(
    "shop-api-web:0123456789ab", f"sha256:{'ab' * 32}", "2026-01-31T12:00:00.123456789Z"
)


def test_the_document_is_valid_and_the_same_for_the_same_image() -> None:
    listed = [
        Package("deb", "zlib1g", "1:1.2.13-1", ("GPL-2+", "Zlib"), "debian", "amd64"),
        Package("pypi", "flask", "3.1.3", ("BSD-3-Clause",)),
        Package("pypi", "x", "1", ("MIT AND no-such-licence",)),
        Package("pypi", "bare", "1"),
    ]
    text = document_of(IMAGE, listed)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert document_of(IMAGE, list(reversed(listed))) == text
    document = json.loads(text)
    assert document["metadata"]["component"]["name"] == "shop-api-web"
    assert document["metadata"]["component"]["version"] == "0123456789ab"
    by_name = {entry["name"]: entry for entry in document["components"]}
    assert by_name["zlib1g"]["purl"] == "pkg:deb/debian/zlib1g@1:1.2.13-1?arch=amd64"
    assert by_name["flask"]["licenses"] == [
        {"license": {"acknowledgement": "declared", "id": "BSD-3-Clause"}}
    ]
    depends = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert len(depends["image"]) == len(listed)


def test_the_validator_refuses_a_damaged_document() -> None:
    document = json.loads(document_of(IMAGE, [Package("pypi", "flask", "3.1.3")]))
    document["components"][0]["type"] = "nonsense"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is not None
