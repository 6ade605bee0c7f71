"""From validated settings and the choices made for them to the complete set of files and their record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import layout
from .base_images import choose_base_images, stand_ins, used_kinds
from .catalogue import start_order
from .engine import Engine, images_present
from .images import service_images
from .problems import Problem, RefusedError
from .rendering import RenderedFile, render_tree, template_context
from .runtimes import choose_runtime

# The reasons are told but not recorded: they change from run to run (an image is pulled, then present).
CHOICES = ("runtime", "base_images")


@dataclass(frozen=True)
class Prepared:
    """Everything that rendering writes: ``files`` below ``root``, and the ``record`` kept in the manifest."""

    root: Path
    files: dict[str, RenderedFile]
    record: dict[str, Any]


def make_choices(values: Mapping[str, Any], engine: Engine) -> dict[str, str]:
    """Runtime and base images, each with its reason. Raises RefusedError when compose is asked for and cannot work."""
    environment = values["stack_environment"]
    runtime = choose_runtime(
        values["stack_runtime"], engine, f"inventories/group_vars/{environment}/ or -e"
    )
    if isinstance(runtime, Problem):
        raise RefusedError(environment, [runtime])
    if engine.usable or values["base_images"] != "auto":
        base_images, base_reason = choose_base_images(values, images_present)
    else:
        base_images, base_reason = "registry", "no engine to ask"
    return {
        "runtime": runtime.name,
        "runtime_reason": runtime.reason,
        "base_images": base_images,
        "base_images_reason": base_reason,
    }


def services_in(runtime: str, values: Mapping[str, Any]) -> list[str]:
    """The services that an environment has in a runtime, in start order; embedded has those it knows how to run."""
    services = start_order(values["stack_services"])
    if runtime != "embedded":
        return services
    programs = layout.TEMPLATES / "embedded"
    return [name for name in services if (programs / f"{name}.json.j2").is_file()]


def _stand_ins(values: Mapping[str, Any]) -> dict[str, str]:
    """The stand-ins that the environment is made of, by kind, and the Debian that they are made of."""
    kinds = {"debian", *used_kinds(values["stack_services"])}
    references = stand_ins(values["debian_mirror"])
    return {kind: reference for kind, reference in references.items() if kind in kinds}


def prepare(values: Mapping[str, Any], choices: Mapping[str, str]) -> Prepared:
    """Render all files in memory for validated ``values``. Raises RenderError or UnprivilegedError."""
    images = service_images(values, choices["base_images"])
    record = {
        "environment": values["stack_environment"],
        "project": values["stack_project"],
        "services": services_in(choices["runtime"], values),
        "images": {name: image.as_dict() for name, image in images.items()},
        "stand_ins": _stand_ins(values) if choices["base_images"] == "distro" else {},
        **{name: choices[name] for name in CHOICES},
    }
    files = render_tree(template_context(values, images))
    return Prepared(Path(values["stack_output_dir"]), files, record)
