"""Bills of materials: what is found in an image's files."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from stackwright.images.sbom.packages import Package, packages, read_files
from stackwright.images.sbom.write import resolve

STATUS = """\
Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13-1
Description: compression
 with a second line
 .
 and a blank one

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok half-installed
Version: 1

Package: zlib1g-dev
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13-1
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: Zlib

Files: debian/*
License: GPL-2+
"""
WHEEL = "Metadata-Version: 2.4\nName: Some_Thing\nVersion: 2.0\n"


def image(files: dict[str, str], links: dict[str, str] | None = None) -> io.BytesIO:
    """A file system as `docker export` writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    buffer.seek(0)
    return buffer


def found(files: dict[str, str], links: dict[str, str] | None = None) -> list[Package]:
    return resolve(packages(read_files(image(files, links))))


def test_debian_packages_are_those_installed_with_the_licences_of_their_copyright_files() -> None:
    files = {
        "usr/lib/os-release": 'NAME="Debian"\nID=debian\n',
        "var/lib/dpkg/status": STATUS,
        "usr/share/doc/zlib1g/copyright": COPYRIGHT,
    }
    both = found(files, {"usr/share/doc/zlib1g-dev": "zlib1g"})
    licences = ("GPL-2+", "Zlib")
    assert both == [
        Package("deb", "zlib1g", "1:1.2.13-1", licences, "debian", "amd64"),
        Package("deb", "zlib1g-dev", "1:1.2.13-1", licences, "debian", "amd64"),
    ]


def test_a_free_form_copyright_file_names_the_texts_it_points_to() -> None:
    text = "The full text is in `/usr/share/common-licenses/LGPL-2.1'.\nSee /usr/share/common-licenses/GPL-3."
    files = {"var/lib/dpkg/status": STATUS, "usr/share/doc/zlib1g/copyright": text}
    assert found(files)[0].licences == ("GPL-3", "LGPL-2.1")


def test_images_without_a_package_manager_have_one_file_per_package() -> None:
    files = {"var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12\nArchitecture: all\n"}
    assert found(files) == [Package("deb", "base-files", "12", (), "debian", "all")]


def test_alpine_packages() -> None:
    record = (
        "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\nF:lib\n\nP:busybox\nV:1.36\nL:GPL-2.0-only\n"
    )
    files = {"etc/os-release": "ID=alpine\n", "lib/apk/db/installed": record}
    assert found(files) == [
        Package("apk", "busybox", "1.36", ("GPL-2.0-only",), "alpine"),
        Package("apk", "musl", "1.2.5-r0", ("MIT",), "alpine", "x86_64"),
    ]


@pytest.mark.parametrize(
    ("metadata", "licences"),
    [
        (
            "License-Expression: MIT AND BSD-3-Clause\nClassifier: License :: Other\n",
            ("MIT AND BSD-3-Clause",),
        ),
        (
            "License: see file\nClassifier: License :: OSI Approved :: MIT License\n",
            ("MIT License",),
        ),
        ("License: Apache-2.0\n", ("Apache-2.0",)),
        (f"License: {'long ' * 40}\n", ()),
        ("", ()),
    ],
)
def test_a_wheel_says_its_licence_in_three_ways(metadata: str, licences: tuple[str, ...]) -> None:
    files = {
        "opt/venv/lib/python3.11/site-packages/some_thing-2.0.dist-info/METADATA": WHEEL + metadata
    }
    assert found(files) == [Package("pypi", "some-thing", "2.0", licences)]


def test_what_was_compiled_into_a_wheel_is_listed_and_the_wheel_itself_once() -> None:
    parts = {
        "bomFormat": "CycloneDX",
        "components": [
            {"name": "some_thing", "version": "2.0", "purl": "pkg:pypi/some_thing@2.0"},
            {"name": "odd", "version": "1", "purl": "no package URL"},
            {"name": "libpq", "version": "16.1-2", "purl": "pkg:rpm/almalinux/libpq@16.1-2"},
            {
                "name": "ring", "version": "0.17", "purl": "pkg:cargo/ring@0.17",
                "licenses": [{"expression": "Apache-2.0 AND ISC"}],
            },
        ],
    }  # fmt: skip
    folder = "x/some_thing-2.0.dist-info"
    files = {
        f"{folder}/METADATA": WHEEL,
        f"{folder}/sboms/auditwheel.cdx.json": json.dumps(parts),
        f"{folder}/sboms/other.json": "no bill",
    }
    assert found(files) == [
        Package("cargo", "ring", "0.17", ("Apache-2.0 AND ISC",)),
        Package("pypi", "some-thing", "2.0"),
        Package("rpm", "libpq", "16.1-2", (), "almalinux"),
    ]


def test_a_stream_that_is_cut_is_an_error_not_a_shorter_list() -> None:
    whole = image({"var/lib/dpkg/status": STATUS * 50}).getvalue()
    for cut in (0, 700, 2000):
        with pytest.raises(tarfile.TarError):
            read_files(io.BytesIO(whole[:cut]))
