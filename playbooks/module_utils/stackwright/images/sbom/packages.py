"""Which packages an image has, read from the files that tell of them: Debian's, Alpine's and the metadata of wheels.

A wheel may carry a bill of what was compiled into it (PEP 770, ``*.dist-info/sboms/``): those parts count as well. This
runs on the host of the engine with nothing but Python's standard library, so that names and package URLs stay as they
are written; ``write`` puts them right.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesHeaderParser, HeaderParser
from typing import IO, Any

from ...system import CommandError, run_checked

CREATE_SECONDS = 60  # a container of an image, which is never started
EXPORT_SECONDS = 300
LONGEST_NAME = 80  # a License field that holds a whole text is no name
WANTED = re.compile(
    r"(?P<os>(etc|usr/lib)/os-release)"
    r"|(?P<dpkg>var/lib/dpkg/status(\.d/[^/]+)?)"
    r"|(?P<copyright>usr/share/doc/[^/]+/copyright)"
    r"|(?P<link>usr/share/doc/[^/]+)"
    r"|(?P<apk>lib/apk/db/installed)"
    r"|(?P<wheel>.*\.dist-info/METADATA)"
    r"|(?P<parts>.*\.dist-info/sboms/[^/]+\.json)"
)
# Source: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
MACHINE_READABLE = re.compile(r"\AFormat:.*copyright-format", re.IGNORECASE)
LICENCE = re.compile(r"^License:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
# Of the older, free-form files: the full texts they point to.
COMMON = re.compile(r"/usr/share/common-licenses/([A-Z][A-Za-z]*(?:-[0-9][0-9.]*[0-9]|-[0-9])?)")


@dataclass(frozen=True, order=True)
class Package:
    """``kind`` is the type of a package URL, such as deb, apk, pypi or cargo.

    ``licences`` are as the package itself declares them: SPDX expressions or names. ``namespace`` is the distribution
    and ``architecture`` what it was built for, both empty outside of distributions. ``purl`` is the package URL of a
    part of a wheel, which stands for all but its version and licences.
    """

    kind: str
    name: str
    version: str
    licences: tuple[str, ...] = ()
    namespace: str = ""
    architecture: str = ""
    purl: str = ""


class SbomError(Exception):
    """An image whose packages could not be read: the message says which, ``output`` what the engine printed."""

    def __init__(self, reference: str, output: str) -> None:
        self.output = output
        super().__init__(f"listing the packages in {reference} failed")


def packages_of(reference: str) -> list[Package]:
    """The packages in an image. Raises SbomError."""
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
        raise SbomError(reference, said or problem)
    return files


def _docker(reference: str, *arguments: str) -> str:
    try:
        return run_checked(["docker", *arguments], CREATE_SECONDS).out
    except CommandError as failed:
        raise SbomError(reference, failed.completed.err) from None


def read_files(image: IO[bytes]) -> dict[str, dict[str, bytes]]:
    """From a tar stream of a file system the files that tell of packages, by kind and path.

    Raises tarfile.TarError for a stream that is cut or is none.
    """
    files: dict[str, dict[str, bytes]] = {kind: {} for kind in WANTED.groupindex}
    with tarfile.open(fileobj=image, mode="r|") as archive:
        for entry in archive:
            path = entry.name.removeprefix("./")
            kind = _kind_of(path)
            content = archive.extractfile(entry) if kind and entry.isfile() else None
            if content:
                files[kind][path] = content.read()
            elif kind == "link" and entry.issym():
                files[kind][path] = entry.linkname.encode()
    return files


def _kind_of(path: str) -> str:
    """What a path tells of, or nothing."""
    match = WANTED.fullmatch(path)
    return next((kind for kind, text in match.groupdict().items() if text), "") if match else ""


def packages(files: Mapping[str, Mapping[str, bytes]]) -> list[Package]:
    """The packages that ``read_files`` found, sorted, each once."""
    found = set(_of_distributions(files, _distribution(files["os"])))
    for content in files["wheel"].values():
        found |= set(_wheel(content))
    for content in files["parts"].values():
        found |= set(_parts(content))
    return sorted(found)


def _of_distributions(
    files: Mapping[str, Mapping[str, bytes]], distribution: str
) -> Iterator[Package]:
    licences = {
        path.split("/")[3]: _copyright_licences(content)
        for path, content in files["copyright"].items()
    }
    # Packages of one source share a folder.
    for path, target in files["link"].items():
        shared = target.decode(errors="replace").rpartition("/")[2]
        licences.setdefault(path.split("/")[3], licences.get(shared, ()))
    for content in files["dpkg"].values():
        yield from _debian(content, distribution or "debian", licences)
    for content in files["apk"].values():
        yield from _alpine(content, distribution or "alpine")


def _distribution(releases: Mapping[str, bytes]) -> str:
    """``debian``, ``ubuntu``, ``alpine`` …: the ID of os-release (source: man 5 os-release)."""
    for content in releases.values():
        match = re.search(
            r'^ID="?([a-z0-9._-]+)"?$', content.decode(errors="replace"), re.MULTILINE
        )
        if match:
            return match[1]
    return ""


def _alpine(content: bytes, distribution: str) -> Iterator[Package]:
    """From apk's record of one-letter fields (source: wiki.alpinelinux.org/wiki/Apk_spec)."""
    for stanza in content.decode(errors="replace").split("\n\n"):
        fields = dict(line.split(":", 1) for line in stanza.splitlines() if line[1:2] == ":")
        if {"P", "V"} <= fields.keys():
            licences = (fields["L"],) if fields.get("L") else ()
            yield Package(
                "apk", fields["P"], fields["V"], licences, distribution, fields.get("A", "")
            )


def _debian(
    status: bytes, distribution: str, licences: Mapping[str, tuple[str, ...]]
) -> Iterator[Package]:
    """Packages of a dpkg status file; ``licences`` by package name."""
    for stanza in status.decode(errors="replace").split("\n\n"):
        fields = HeaderParser().parsestr(stanza.lstrip("\n"))
        name, version = fields["Package"], fields["Version"]
        # Images without a package manager keep one file per package, without a status.
        state = fields.get("Status", "installed").split()[-1]
        if name and version and state == "installed":
            architecture = fields.get("Architecture", "")
            yield Package("deb", name, version, licences.get(name, ()), distribution, architecture)


def _copyright_licences(copyright_file: bytes) -> tuple[str, ...]:
    """Short names of all licences that a copyright file names, sorted; they are Debian's, not always SPDX's."""
    text = copyright_file.decode(errors="replace")
    pattern = LICENCE if MACHINE_READABLE.search(text) else COMMON
    return tuple(sorted({name.strip() for name in pattern.findall(text)}))


def _wheel(metadata: bytes) -> Iterator[Package]:
    """The package that a METADATA file describes, if it does (source: packaging.python.org, core metadata)."""
    fields = BytesHeaderParser().parsebytes(metadata)
    if fields["Name"] and fields["Version"]:
        yield Package("pypi", fields["Name"], fields["Version"], _wheel_licences(fields))


def _wheel_licences(fields: Any) -> tuple[str, ...]:
    """The licence expression; without one the classifiers; without those the short License field."""
    expression = fields.get("License-Expression", "").strip()
    if expression:
        return (expression,)
    classifiers = fields.get_all("Classifier", [])
    named = {text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License ::")}
    named -= {"OSI Approved"}
    written = fields.get("License", "").strip()
    if not named and written and len(written) <= LONGEST_NAME and "\n" not in written:
        named = {written}
    return tuple(sorted(named))


def _parts(bill: bytes) -> Iterator[Package]:
    """Components of a CycloneDX file inside of a wheel, nothing where it is no such file."""
    try:
        document = json.loads(bill)
    except ValueError:
        return
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        return
    for component in document.get("components", []):
        purl, version = component.get("purl"), component.get("version")
        if purl and version:
            yield Package("", "", version, tuple(sorted(_part_licences(component))), purl=purl)


def _part_licences(component: Mapping[str, Any]) -> Iterator[str]:
    for entry in component.get("licenses", []):
        licence = entry.get("license", {})
        said = entry.get("expression") or licence.get("id") or licence.get("name")
        if said:
            yield str(said)
