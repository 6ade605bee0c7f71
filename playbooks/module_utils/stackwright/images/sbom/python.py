"""Python packages by their metadata, and what their wheels say was compiled into them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import unquote

from .package import Package

LONGEST_NAME = 80  # a License field that holds a whole text is no name
PURL = re.compile(r"pkg:(?P<kind>[a-z]+)/(?:(?P<namespace>[^@?#]*)/)?(?P<name>[^@?#/]+)")


def wheel(metadata: bytes) -> Iterator[Package]:
    """The package that a METADATA file describes, if it does (source: packaging.python.org, core metadata)."""
    fields = BytesHeaderParser().parsebytes(metadata)
    if fields["Name"] and fields["Version"]:
        yield Package("pypi", _normal(fields["Name"]), fields["Version"], _licences(fields))


def _normal(name: str) -> str:
    """One spelling of a Python package's name (source: PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _licences(fields: Any) -> tuple[str, ...]:
    """The licence expression; without one the classifiers; without those the short License field."""
    expression = fields.get("License-Expression", "").strip()
    if expression:
        return (expression,)
    classifiers = fields.get_all("Classifier", [])
    named = {text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License ::")}
    named -= {"OSI Approved"}
    written = fields.get("License", "").strip()
    if not named and written and len(written) <= LONGEST_NAME and "\n" not in written:
        named = {written}
    return tuple(sorted(named))


def parts(bill: bytes) -> Iterator[Package]:
    """Components of a CycloneDX file inside of a wheel, except the wheel itself; nothing where it is no such file."""
    try:
        document = json.loads(bill)
    except ValueError:
        return
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        return
    for component in document.get("components", []):
        match = PURL.match(component.get("purl") or "")
        if match and component.get("version"):
            kind, name = match["kind"], unquote(match["name"])
            namespace = unquote(match["namespace"] or "")
            yield Package(
                kind, _normal(name) if kind == "pypi" else name, component["version"],
                tuple(sorted(_part_licences(component))), namespace,
            )  # fmt: skip


def _part_licences(component: Mapping[str, Any]) -> Iterator[str]:
    for entry in component.get("licenses", []):
        licence = entry.get("license", {})
        said = entry.get("expression") or licence.get("id") or licence.get("name")
        if said:
            yield str(said)
