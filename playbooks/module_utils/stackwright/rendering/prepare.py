"""From validated settings and the choices made for them to the complete set of files and their record."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import layout
from ..environment import Environment, environment_of
from ..images.content_hash import input_files
from ..images.references import (
    FOLDER,
    Image,
    choose_base_images,
    service_images,
    stand_ins,
    used_kinds,
)
from ..output.hosts import Host
from ..runtimes.base import choose_remote_runtime, choose_runtime
from ..runtimes.compose.engine import Engine
from ..runtimes.embedded.processes import process_user
from ..runtimes.embedded.staging import home_of
from ..runtimes.running import started_runtimes
from ..settings.problems import Problem, RefusedError
from ..settings.validation import size_in_bytes
from .files import PROGRAM, PUBLIC, RenderedFile
from .templates import CA_BUNDLE, render_tree

# The reasons are told but not recorded: they change from run to run (an image is pulled, then present).
CHOICES = ("runtime", "base_images")
KIB, MIB, GIB = 1024, 1024**2, 1024**3


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


def _bounded(least: int, size: int, most: int) -> str:
    """A size in bytes within bounds, as PostgreSQL writes it."""
    size = max(least, min(size, most))
    return f"{size // KIB}kB" if size % MIB else f"{size // MIB}MB"


def postgres_options(values: Mapping[str, Any]) -> dict[str, str]:
    """PostgreSQL's options by name, from db_memory and db_max_connections.

    The proportions are those of the PostgreSQL manual, 20.4 "Resource Consumption" (a quarter of the memory for
    shared_buffers), with the rest shared out so that all connections sorting at once do not exceed the limit.
    """
    memory, connections = size_in_bytes(values["db_memory"]), values["db_max_connections"]
    return {
        "max_connections": str(connections),
        # A quarter of its own; what the kernel caches of files counts towards the limit too, and is given back.
        "shared_buffers": _bounded(16 * MIB, memory // 4, 16 * GIB),
        "effective_cache_size": _bounded(32 * MIB, memory * 3 // 4, 1024 * GIB),
        # Another quarter for all sorts and hashes at once, an eighth for three autovacuum workers and a person.
        "work_mem": _bounded(1 * MIB, memory // 4 // connections, 64 * MIB),
        "maintenance_work_mem": _bounded(2 * MIB, memory // 32, 1 * GIB),
        # Fewer checkpoints where there is memory for more changed pages, for up to so much disk.
        "max_wal_size": _bounded(256 * MIB, memory * 2, 8 * GIB),
    }


def template_context(
    values: Mapping[str, Any],
    images: Mapping[str, Image],
    place: layout.Place | None = None,
    runtime: str = "compose",
) -> dict[str, Any]:
    """What templates see: every setting by its name, the environment, and the folders of the project.

    ``environments`` has the environment as it is in each runtime; a template sees its own as ``environment``.
    ``build_secrets`` names what only carries the build.
    ``embedded_home`` is where embedded processes find secrets and data (see embedded.staging).
    ``project_from_output`` is the folder with ``app/`` seen from the output folder. By default the environment is on
    this machine and runs in Compose. Another host has the CA bundle of its builds beside the compose file.
    """
    if place is None:
        place = layout.place_of(values["stack_environment"], values["stack_output_dir"], False)
    builds = any(image.context for image in images.values())
    return {
        **values,
        "environments": {
            name: environment_of(values, images, place, name) for name in ("compose", "embedded")
        },
        "build_secrets": [
            name for name in ("ca_bundle", "pip_index_url") if builds and values[f"build_{name}"]
        ],
        "postgres_options": postgres_options(values),
        "project": str(layout.PROJECT),
        "project_from_output": os.path.relpath(place.sources, place.output),
        "runtime": runtime,
        "embedded_home": str(
            place.output
            if place.remote
            else home_of(place.output, process_user(values["embedded_user"]))
        ),
        "ca_bundle_file": f"./{CA_BUNDLE}" if place.remote else values["build_ca_bundle"],
        # One spelling, however Ansible was started: sys.executable may be python or python3.
        "python": str(Path(sys.prefix) / "bin" / "python"),
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
