"""Which images are pinned by digest, and the file that records them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .base_images import KINDS


def registry_images(values: Mapping[str, Any]) -> list[str]:
    """References that a registry resolves: the base images and the finished images of enabled services.

    Without those that carry a digest already, and without names below localhost/, which no registry has.
    """
    services = [entry for entry in values["stack_services"].values() if entry["enabled"]]
    named = [values[f"{kind}_base_image"] for kind in KINDS]
    named += [entry["image"] for entry in services if "image" in entry]
    return [
        reference
        for reference in dict.fromkeys(named)
        if "@" not in reference and not reference.startswith("localhost/")
    ]


def with_digests(text: str, digests: Mapping[str, str]) -> str:
    """The text of digests.yml with other digests: comments stay, the setting is the last in the file.

    Raises ValueError where the file does not have the setting.
    """
    head, setting, _ = text.partition("\nimage_digests:")
    if not setting:
        raise ValueError("digests.yml has no setting image_digests")
    lines = [
        f"  {json.dumps(name)}: {json.dumps(digest)}\n" for name, digest in sorted(digests.items())
    ]
    return f"{head}{setting}\n{''.join(lines)}"
