"""Find the packages in an image's file system: Debian's and Alpine's own records, and the metadata of Python wheels.

A wheel may carry a bill of what was compiled into it (PEP 770, ``*.dist-info/sboms/``): those parts count as well.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from typing import IO

from . import debian, python
from .package import Package

WANTED = re.compile(
    r"(?P<os>(etc|usr/lib)/os-release)"
    r"|(?P<dpkg>var/lib/dpkg/status(\.d/[^/]+)?)"
    r"|(?P<copyright>usr/share/doc/[^/]+/copyright)"
    r"|(?P<link>usr/share/doc/[^/]+)"
    r"|(?P<apk>lib/apk/db/installed)"
    r"|(?P<wheel>.*\.dist-info/METADATA)"
    r"|(?P<parts>.*\.dist-info/sboms/[^/]+\.json)"
)


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
    distribution = _distribution(files["os"])
    found = set(_of_distributions(files, distribution))
    for content in files["wheel"].values():
        found |= set(python.wheel(content))
    known = {(package.kind, package.name) for package in found}
    for content in files["parts"].values():
        found |= {part for part in python.parts(content) if (part.kind, part.name) not in known}
    return sorted(found)


def _of_distributions(
    files: Mapping[str, Mapping[str, bytes]], distribution: str
) -> Iterator[Package]:
    licences = {
        path.split("/")[3]: debian.licences(content) for path, content in files["copyright"].items()
    }
    # Packages of one source share a folder.
    for path, target in files["link"].items():
        shared = target.decode(errors="replace").rpartition("/")[2]
        licences.setdefault(path.split("/")[3], licences.get(shared, ()))
    for content in files["dpkg"].values():
        yield from debian.installed(content, distribution or "debian", licences)
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
