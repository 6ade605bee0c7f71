"""Write the bills of an environment's images, for those that have none yet."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path

from .contents import packages, read_files

ANSWER_SECONDS = 60
EXPORT_SECONDS = 300
Images = Mapping[str, tuple[str, str, str]]


class BillError(Exception):
    """An image whose packages could not be read: the message says which, ``output`` what the engine printed."""

    def __init__(self, reference: str, output: str) -> None:
        self.output = output
        super().__init__(f"listing the packages in {reference} failed")


def write_missing_bills(folder: Path, images: Images) -> list[str]:
    """Write ``<service>.cdx.json`` for each image without one, remove those of services that are gone.

    ``images`` has by service the reference, the engine's identity of the image (sha256:…) and its time of creation.
    Returns the names of the files written or removed. Raises BillError or OSError.
    """
    wanted = {f"{service}.cdx.json": image for service, image in images.items()}
    changed = []
    for name, image in wanted.items():
        if _identity(folder / name) != image[1]:
            _write(folder / name, image)
            changed.append(name)
    for stale in sorted(folder.glob("*.cdx.json")):
        if stale.name not in wanted:
            stale.unlink()
            changed.append(stale.name)
    return changed


def _identity(path: Path) -> str:
    """The image that a bill is of; empty where there is no bill, or one that is damaged."""
    try:
        properties = json.loads(path.read_bytes())["metadata"]["component"]["properties"]
        return str(properties[0]["value"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def _write(path: Path, image: tuple[str, str, str]) -> None:
    # Only here: the library takes longer to load than a run with nothing to write takes.
    from .bill import ImageFacts, bill_of

    facts = ImageFacts(*image)
    text = bill_of(facts, packages(_files_of(facts.reference)))
    path.parent.mkdir(mode=0o755, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)
    os.replace(temporary, path)


def _files_of(reference: str) -> dict[str, dict[str, bytes]]:
    """What the image's file system says of packages. Nothing in the image is run: it need have no shell."""
    container = _docker(reference, "create", "--network", "none", reference, "none").strip()
    command = ["docker", "export", container]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as export:
            # An engine that stands still ends the stream.
            deadline = threading.Timer(EXPORT_SECONDS, export.kill)
            deadline.start()
            try:
                return _read(export, reference)
            finally:
                deadline.cancel()
                export.kill()
    finally:
        _docker(reference, "rm", "--volumes", "--force", container)


def _read(export: subprocess.Popen[bytes], reference: str) -> dict[str, dict[str, bytes]]:
    """The files in a stream that came to its end: one cut between two files looks whole to a reader of archives."""
    assert export.stdout is not None
    assert export.stderr is not None
    problem = ""
    files = {}
    try:
        files = read_files(export.stdout)
        while export.stdout.read(1 << 20):
            pass  # what pads the archive
    except tarfile.TarError as error:
        problem = str(error)
        export.kill()
    said = export.stderr.read().decode(errors="replace").strip()
    if problem or export.wait() != 0:
        raise BillError(reference, said or problem)
    return files


def _docker(reference: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise BillError(reference, str(getattr(error, "stderr", "") or error)) from None
    return done.stdout
