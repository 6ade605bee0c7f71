"""Everything that an environment has on its host, found whatever is left of it, and its removal.

What Docker has is found by the Compose project's label and by names, processes by the folder they were started from,
files by the manifest and by the names that this project gives. Whatever else lies in the folder stays.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..output.apply import LOCK_SECONDS
from ..output.manifest import MANIFEST, NEXT_MANIFEST, check_places, known_hashes, read_record
from ..output.write import remove_empty_folders
from ..system import lock_folder
from .compose.project import FOLDER_LABEL, PROJECT_LABEL, EngineError, docker
from .embedded.folder import EmbeddedError, Folder
from .running import EMBEDDED, started_runtimes
from .running import RECORD as STARTED

if EMBEDDED:
    from .embedded.lifecycle import stop
    from .embedded.staging import clear_staging, staging_folder
    from .embedded.supervisor import end_daemon, find_daemon

KINDS = ("containers", "networks", "images", "processes", "files")
DATA = ("volumes", "data")  # removed only when asked for
EMBEDDED_DATA = "embedded/data"
WRITTEN = ("verify.json", "edge-ca.crt", STARTED, MANIFEST, NEXT_MANIFEST)
STAGED = ("code", "secrets")  # in the staging folder, beside the data
WRITTEN_FOLDERS = ("sbom", "embedded/logs", "embedded/run")
REMOVE_SECONDS = 180.0


@dataclass(frozen=True)
class Names:
    """What the environment's things are called; of a folder that only has files, there are no projects."""

    projects: list[str]
    volumes: list[str]
    services: list[str]
    output: str


@dataclass(frozen=True)
class Belongings:
    """What there is: ``things`` by kind, see KINDS and DATA; of data only what holds some.

    ``projects`` are those of the names and the one rendered last, ``foreign`` containers of another checkout with their
    folder. ``unknown`` is why Docker's part cannot be told, or empty.
    """

    projects: list[str]
    things: dict[str, list[str]]
    foreign: dict[str, str] = field(default_factory=dict)
    unknown: str = ""


def _rows(*arguments: str) -> list[list[str]]:
    return [line.split("\t") for line in docker(*arguments)]


def _of_projects(projects: Iterable[str], *listing: str) -> list[list[str]]:
    found = []
    for project in projects:
        found += _rows(*listing, "--filter", f"label={PROJECT_LABEL}={project}")
    return found


def _volumes(names: Names) -> list[str]:
    """The projects' volumes, and those named in the settings unless another project has them."""
    form = f'{{{{.Name}}}}\t{{{{.Label "{PROJECT_LABEL}"}}}}'
    return sorted(
        name
        for name, project in _rows("volume", "ls", "--format", form)
        if project in names.projects or (name in names.volumes and not project)
    )


def _docker_part(names: Names) -> Belongings:
    """Raises EngineError."""
    form = f'{{{{.Names}}}}\t{{{{.State}}}}\t{{{{.Label "{FOLDER_LABEL}"}}}}'
    containers = _of_projects(names.projects, "ps", "--all", "--format", form)
    networks = _of_projects(names.projects, "network", "ls", "--format", "{{.Name}}")
    ours = {f"{project}-{service}" for project in names.projects for service in names.services}
    images = _rows("image", "ls", "--format", "{{.Repository}}\t{{.Tag}}")
    here = os.path.realpath(names.output)
    things = {
        "containers": sorted(name for name, _, _ in containers),
        "networks": sorted(name for (name,) in networks),
        "images": sorted(f"{name}:{tag}" for name, tag in images if name in ours),
        "volumes": _volumes(names),
    }
    foreign = {
        name: folder
        for name, _, folder in containers
        if folder and os.path.realpath(folder) != here
    }
    return Belongings(names.projects, things, foreign)


def _files(root: Path) -> list[str]:
    """Paths below ``root`` that this project wrote. Raises TreeError for what leads elsewhere."""
    known = {*known_hashes(root), *WRITTEN}
    check_places(root, {*known, *(f"{folder}/x" for folder in (*WRITTEN_FOLDERS, EMBEDDED_DATA))})
    found = [path for path in known if os.path.lexists(root / path)]
    return sorted(found + [folder for folder in WRITTEN_FOLDERS if (root / folder).is_dir()])


def _processes(folder: Folder) -> list[str]:
    daemon = find_daemon(folder)
    if daemon:
        return [f"supervisord (pid {daemon}) with its programs"]
    return ["programs whose supervisord is gone"] if stop(folder, 0, check=True) else []


def find_belongings(names: Names) -> Belongings:
    """Look for everything; changes nothing. Raises OSError, TreeError."""
    root = Path(names.output)
    record = read_record(root)
    if record and names.projects:
        projects = sorted({*names.projects, record["project"]})
        services = sorted({*names.services, *record.get("services", [])})
        names = replace(names, projects=projects, services=services)
    unknown, seen = "", Belongings(names.projects, {})
    if names.projects and shutil.which("docker"):
        try:
            seen = _docker_part(names)
        except EngineError as error:
            unknown = str(error)
    elif names.projects and "compose" in started_runtimes(root):
        unknown = "it ran in Docker, and there is no docker client"
    staged = [staging_folder(root)] if EMBEDDED else []
    copies = [folder / name for folder in staged for name in STAGED]
    data = [root / EMBEDDED_DATA, *(folder / "data" for folder in staged)]
    things = {
        **seen.things,
        "processes": _processes(Folder(root / "embedded")) if EMBEDDED else [],
        "files": _files(root) + [str(copy) for copy in copies if copy.exists()],
        "data": [str(folder) for folder in data if folder.is_dir() and any(folder.iterdir())],
    }
    return replace(seen, things=things, unknown=unknown)


def remove_belongings(names: Names, data: bool) -> list[str]:
    """Remove everything, or with ``data`` false all but volumes and data folder. Returns what went wrong.

    The services are stopped as they should be, so that kept data are whole. Raises OSError, TreeError.
    """
    found = find_belongings(names).things
    root = Path(names.output)
    wrong: list[str] = []

    def attempt(kind: str, remove: Callable[[], object]) -> None:
        if found.get(kind):
            try:
                remove()
            except (EngineError, EmbeddedError, OSError) as error:
                wrong.append(f"{kind}: {error}")

    def with_docker(kind: str, *words: str) -> None:
        attempt(kind, lambda: docker(*words, *found[kind], seconds=REMOVE_SECONDS))

    with_docker("containers", "stop")
    with_docker("containers", "rm", "--force", "--volumes")
    with_docker("networks", "network", "rm")
    with_docker("images", "image", "rm")
    attempt("processes", lambda: _end_processes(Folder(root / "embedded")))
    if data:
        with_docker("volumes", "volume", "rm")
    if any(text.startswith("processes") for text in wrong):
        return wrong  # they work with what is in the folder
    if data:
        attempt("data", lambda: _remove_data(root))
    attempt("files", lambda: _remove_files(root, found["files"]))
    for folder in (EMBEDDED_DATA, "embedded", "."):
        with suppress(OSError):  # other things are in it, or it is not there
            (root / folder).rmdir()
    return wrong


def _end_processes(folder: Folder) -> None:
    """Stop what was started from the folder, whether or not it is still there."""
    if folder.root.is_dir():
        stop(folder, REMOVE_SECONDS)
    daemon = find_daemon(folder)
    if daemon is not None:
        end_daemon(folder, daemon, REMOVE_SECONDS)


def _remove_data(root: Path) -> None:
    """Remove the data of the processes, wherever they were kept."""
    if (root / EMBEDDED_DATA).is_dir():
        shutil.rmtree(root / EMBEDDED_DATA)
    if EMBEDDED and staging_folder(root).is_dir():
        shutil.rmtree(staging_folder(root))


def _remove_files(root: Path, files: list[str]) -> None:
    """Remove our files, and folders that are empty then; the manifest last, so that the next run knows the rest."""
    if EMBEDDED:
        clear_staging(root)
    files = [path for path in files if not os.path.isabs(path)]
    if not files:
        return
    with lock_folder(root, LOCK_SECONDS):
        for path in sorted(files, key=lambda path: (path in (MANIFEST, NEXT_MANIFEST), path)):
            if path in WRITTEN_FOLDERS:
                shutil.rmtree(root / path)
            else:
                (root / path).unlink(missing_ok=True)
            remove_empty_folders(root / path, root)
