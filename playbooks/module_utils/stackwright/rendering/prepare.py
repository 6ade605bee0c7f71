"""From validated settings and the choices made for them to the complete set of files and their record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import layout
from ..environment import Environment
from ..images.base_images import FOLDER, choose_base_images, stand_ins, used_kinds
from ..images.content_hash import input_files
from ..images.references import Image, service_images
from ..output.hosts import Host
from ..runtimes.base import choose_remote_runtime, choose_runtime
from ..runtimes.compose.engine import Engine
from ..runtimes.running import started_runtimes
from ..settings.problems import Problem, RefusedError
from .rendered_file import PROGRAM, PUBLIC, RenderedFile
from .tree import render_tree, template_context

# The reasons are told but not recorded: they change from run to run (an image is pulled, then present).
CHOICES = ("runtime", "base_images")


@dataclass(frozen=True)
class Prepared:
    """Everything that rendering writes: ``files`` below ``root``, and the ``record`` kept in the manifest.

    ``environment`` is what they describe, in the runtime that runs.
    """

    environment: Environment
    root: Path
    files: dict[str, RenderedFile]
    record: dict[str, Any]


def make_choices(values: Mapping[str, Any], engine: Engine, host: Host) -> dict[str, str]:
    """Runtime and base images, each with its reason. Raises RefusedError for a runtime that cannot work there."""
    environment = values["stack_environment"]
    where = f"inventories/group_vars/{environment}/ or -e"
    if host.remote:
        runtime = choose_remote_runtime(
            values["stack_runtime"], engine, where, host.name, environment
        )
    else:
        started = started_runtimes(Path(values["stack_output_dir"]))
        runtime = choose_runtime(values["stack_runtime"], engine, where, environment, started)
    if isinstance(runtime, Problem):
        raise RefusedError(environment, [runtime])
    if engine.usable or values["base_images"] != "auto":
        base_images, base_reason = choose_base_images(
            values, host.images_present, host.registry_answers
        )
    else:
        base_images, base_reason = "registry", "no engine to ask"
    return {
        "runtime": runtime.name,
        "runtime_reason": runtime.reason,
        "base_images": base_images,
        "base_images_reason": base_reason,
    }


def _stand_ins(values: Mapping[str, Any]) -> dict[str, str]:
    """The stand-ins that the environment is made of, by kind, and the Debian that they are made of."""
    kinds = {"debian", *used_kinds(values["stack_services"])}
    references = stand_ins(values["debian_mirror"])
    return {kind: reference for kind, reference in references.items() if kind in kinds}


def _sources(images: Mapping[str, Image], with_stand_ins: bool) -> dict[str, RenderedFile]:
    """What images are built of, for a host that has no copy of the project."""
    folders = {layout.PROJECT / image.context for image in images.values() if image.context}
    return {
        str(path.relative_to(layout.PROJECT)): RenderedFile(
            path.read_bytes(), PROGRAM if path.stat().st_mode & 0o100 else PUBLIC
        )
        for folder in folders | ({FOLDER} if with_stand_ins else set())
        for path in input_files(folder)
    }


def prepare(
    values: Mapping[str, Any], choices: Mapping[str, str], remote: bool = False
) -> Prepared:
    """Render all files in memory for validated ``values``, those a ``remote`` host needs besides included.

    Raises RenderError or UnprivilegedError.
    """
    place = layout.place_of(values["stack_environment"], values["stack_output_dir"], remote)
    images = service_images(values, choices["base_images"])
    context = template_context(values, images, place, choices["runtime"])
    environment = context["environments"][choices["runtime"]]
    record = {
        "environment": environment.name,
        "project": environment.project,
        "services": [service.name for service in environment.services],
        "images": {name: image.as_dict() for name, image in images.items()},
        "stand_ins": _stand_ins(values) if choices["base_images"] == "distro" else {},
        **{name: choices[name] for name in CHOICES},
    }
    files = render_tree(context)
    if remote:
        files |= _sources(images, bool(record["stand_ins"]))
    return Prepared(environment, place.output, files, record)
