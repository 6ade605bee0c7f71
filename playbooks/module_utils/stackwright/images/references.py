"""The image of every service: its reference, and for our own ones how it is built.

A tag is the hash of everything that goes into the build, so an unchanged tree names an image that exists already. What
only carries the build (CA bundle, package index) is not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .. import layout
from .base_images import official, pinned, stand_ins
from .content_hash import content_hash, revision_of


@dataclass(frozen=True)
class Image:
    """``reference`` is what runs; ``context`` (below the project) is empty for images we do not build.

    ``revision`` says for people which commit the context comes from. It is no part of the tag: the same content is the
    same image, whoever committed it when.
    """

    reference: str
    context: str = ""
    argument: str = ""
    base: str = ""
    revision: str = ""

    def as_dict(self) -> dict[str, str]:
        """For templates and the manifest."""
        return asdict(self)


def image_of(
    name: str,
    service: Mapping[str, Any],
    project: str,
    bases: Mapping[str, str],
    digests: Mapping[str, str],
) -> Image:
    """The image of one catalogue entry; ``bases`` maps python, postgres and redis to references.

    ``digests`` are those recorded for finished images. A base carries its own, and so does the tag built on it.
    """
    if "image" in service:
        return Image(pinned(service["image"], digests))
    if "base" in service:
        return Image(bases[service["base"]])
    build = service["build"]
    base = bases[build["base"]]
    tag = content_hash([layout.PROJECT / build["context"]], [base])
    revision = revision_of(layout.PROJECT / build["context"])
    return Image(f"{project}-{name}:{tag}", build["context"], build["argument"], base, revision)


def service_images(values: Mapping[str, Any], base_choice: str) -> dict[str, Image]:
    """Images by service, for the enabled services."""
    bases = official(values) if base_choice == "registry" else stand_ins(values["debian_mirror"])
    return {
        name: image_of(name, service, values["stack_project"], bases, values["image_digests"])
        for name, service in values["stack_services"].items()
        if service["enabled"]
    }
