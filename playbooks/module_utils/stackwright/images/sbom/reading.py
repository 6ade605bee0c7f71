"""Read which packages an engine's image has."""

from __future__ import annotations

import subprocess
import tarfile
import threading

from .contents import packages, read_files
from .package import Package

ANSWER_SECONDS = 60
EXPORT_SECONDS = 300


class BillError(Exception):
    """An image whose packages could not be read: the message says which, ``output`` what the engine printed."""

    def __init__(self, reference: str, output: str) -> None:
        self.output = output
        super().__init__(f"listing the packages in {reference} failed")


def packages_of(reference: str) -> list[Package]:
    """The packages in an image. Raises BillError."""
    return packages(_files_of(reference))


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
