"""Debian's own record of what is installed, and the licences that its copyright files name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.parser import HeaderParser

from .package import Package

# Source: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
MACHINE_READABLE = re.compile(r"\AFormat:.*copyright-format", re.IGNORECASE)
LICENCE = re.compile(r"^License:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
# Of the older, free-form files: the full texts they point to.
COMMON = re.compile(r"/usr/share/common-licenses/([A-Z][A-Za-z]*(?:-[0-9][0-9.]*[0-9]|-[0-9])?)")


def installed(
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


def licences(copyright_file: bytes) -> tuple[str, ...]:
    """Short names of all licences that a copyright file names, sorted; they are Debian's, not always SPDX's."""
    text = copyright_file.decode(errors="replace")
    pattern = LICENCE if MACHINE_READABLE.search(text) else COMMON
    return tuple(sorted({name.strip() for name in pattern.findall(text)}))
