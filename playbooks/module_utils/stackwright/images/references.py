"""The image of every service: its reference, where base images come from, and for our own ones how they are built.

Stand-ins carry the host part ``localhost/``: no registry can ever answer for such a name, so that nothing foreign is
pulled in their place and they never pose as the official images. What the engine has it is asked; where it says
nothing, that is an error and not taken for absence. A tag is the hash of everything that goes into the build, so an
unchanged tree names an image that exists already. What only carries the build (CA bundle, package index) is not part of
it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .. import layout
from ..runtimes.compose.engine import SilentEngineError, advice, call_docker, silence
from ..system import run
from .content_hash import content_hash, revision_of


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


KINDS = ("python", "postgres", "redis", "caddy")
FOLDER = layout.PROJECT / "app" / "base"
VERSIONS = {
    "debian": "bookworm",
    "python": "3.11",
    "postgres": "16",
    "redis": "7.0",
    "caddy": "2.11",
}
# Stand-ins that are built together, as in app/base/build.
ROUNDS = (("debian",), ("python", "redis"), ("postgres", "caddy"))


def used_kinds(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The kinds that the enabled services are made of; python always, whose pip gets the others their wheels."""
    used = {"python"} | {
        str(service.get("base") or service.get("build", {}).get("base"))
        for service in services.values()
        if service["enabled"]
    }
    return [kind for kind in KINDS if kind in used]


def official(values: Mapping[str, Any]) -> dict[str, str]:
    """The registry's images by kind, as the settings say, each with its digest where one is recorded."""
    digests = values["image_digests"]
    return {kind: pinned(values[f"{kind}_base_image"], digests) for kind in KINDS}


def pinned(reference: str, digests: Mapping[str, str]) -> str:
    """A reference with its recorded digest, so that it names one image for good; one that has a digest keeps it."""
    return f"{reference}@{digests[reference]}" if reference in digests else reference


def stand_ins(debian_mirror: str) -> dict[str, str]:
    """The distribution's stand-ins by kind, each tag covering those built before it, beginning with ``debian``."""
    steering = [FOLDER / "build", FOLDER / "compose.build.yml"]
    words = [debian_mirror, *(path.read_text(encoding="utf-8") for path in steering)]
    names: dict[str, str] = {}
    for kind in ("debian", *KINDS):
        tag = content_hash([FOLDER / kind], [*words, *names.values()])
        names[kind] = f"localhost/stackwright-{kind}:{VERSIONS[kind]}-{tag}"
    return names


def registry_answers(image: str, timeout_seconds: int) -> bool:
    """Ask the registry for an image's manifest with a bounded wait, as the engine's own client would."""
    return run(["docker", "manifest", "inspect", image], timeout_seconds).code == 0


def choose_base_images(
    values: Mapping[str, Any],
    present: Callable[[list[str]], set[str]],
    answers: Callable[[str, int], bool] = registry_answers,
) -> tuple[str, str]:
    """Resolve base_images to (registry or distro, reason). ``present`` tells which images the engine has."""
    wanted = values["base_images"]
    kinds = used_kinds(values["stack_services"])
    by_kind = {"registry": official(values), "distro": stand_ins(values["debian_mirror"])}
    if wanted != "auto":
        return wanted, "asked for by base_images"
    for name, images in by_kind.items():
        references = {images[kind] for kind in kinds}
        if references <= present(sorted(references)):
            return name, "already there"
    seconds = values["registry_timeout_seconds"]
    image = values["python_base_image"]
    if answers(image, seconds):
        return "registry", f"the registry answered for {image}"
    return "distro", f"the registry did not answer for {image} within {seconds} s"


def build_steps(
    stand_ins: Mapping[str, str], images: Mapping[str, Mapping[str, str]], missing: set[str]
) -> Iterator[tuple[str, list[str]]]:
    """In which steps images that the engine lacks are built and pulled, so that each can be announced.

    Yields what is done, in words, and the references that it brings. ``stand_ins`` are
    references by kind, ``images`` those of the services with ``reference`` and ``context``.
    """
    for kinds in ROUNDS:
        chosen = [kind for kind in kinds if stand_ins.get(kind) in missing]
        if chosen:
            yield (
                f"building {' and '.join(chosen)}, stand-ins for base images",
                [stand_ins[kind] for kind in chosen],
            )
    rest = {
        name: image["reference"]
        for name, image in images.items()
        if image["reference"] in missing - set(stand_ins.values())
    }
    for reference in sorted({ref for name, ref in rest.items() if not images[name]["context"]}):
        yield f"pulling {reference}", [reference]
    built = {name: reference for name, reference in rest.items() if images[name]["context"]}
    if built:
        yield f"building {', '.join(built)}", list(built.values())


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
