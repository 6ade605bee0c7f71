"""Which images the engine has: what it says, or an error where it says nothing. Silence is not taken for absence."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..runtimes.compose.engine import SilentEngineError, advice, call_docker, silence


def engine_images(references: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Identity and time of creation of those that the engine has, with one call whatever their number.

    Raises SilentEngineError.
    """
    if not references:
        return {}
    done = call_docker("image", "inspect", *references)
    if done.code and "no such image" not in done.err.lower():
        raise silence(done.err)
    images = json.loads(done.out or "[]")
    facts = [(image["Id"], image["Created"]) for image in images]
    if (
        done.code == 0
    ):  # all of them, in this order, also those listed under another name (docker.io/…)
        return dict(zip(references, facts, strict=True))
    found: dict[str, tuple[str, str]] = {}
    for image, fact in zip(images, facts, strict=True):
        names = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]
        found |= dict.fromkeys(names, fact)
    return {name: found[_listed_as(name)] for name in references if _listed_as(name) in found}


def _listed_as(reference: str) -> str:
    """How the engine lists an image: one with a digest without its tag."""
    name, at, digest = reference.partition("@")
    if not at:
        return reference
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"


def images_present(references: Sequence[str]) -> set[str]:
    """Which of them the engine has; none where there is no engine.

    Raises SilentEngineError, with the remedy, where there may be one and it does not answer.
    """
    try:
        return set(engine_images(references))
    except SilentEngineError as silent:
        if silent.absent:
            return set()
        fix = advice(silent.denied, unknown=True)
        raise SilentEngineError(
            f"which images the engine has cannot be told: {silent}\n    fix  {fix}"
        ) from None
