"""Bills are written for images without one, by an engine's client that answers as the real one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stackwright.images.sbom.packages import SbomError
from stackwright.images.sbom.write import write_missing_sboms

IMAGE = ("shop-api:1", f"sha256:{'ab' * 32}", "2026-01-31T12:00:00.5Z")
OTHER = ("shop-api:2", f"sha256:{'cd' * 32}", "2026-01-31T12:00:00.5Z")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose ``export`` script is what `docker export` does; every call is noted in ``calls``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    docker = folder / "docker"
    docker.write_text(
        '#!/bin/sh\necho "$*" >> "${0%docker}calls"\n'
        'case $1 in create) echo c0ffee ;; export) . "${0%docker}export" ;; esac\n'
    )
    docker.chmod(0o755)
    root = folder / "root/var/lib/dpkg"
    root.mkdir(parents=True)
    (root / "status").write_text("Package: a\nVersion: 1\nStatus: install ok installed\n")
    (folder / "export").write_text('tar -C "${0%docker}root" -cf - var\n')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def exports(client: Path) -> int:
    return (client / "calls").read_text().count("export c0ffee")


def test_each_image_is_read_once_and_what_is_gone_is_removed(client: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sbom"
    assert write_missing_sboms(folder, {"api": IMAGE, "other": OTHER}) == [
        "api.cdx.json",
        "other.cdx.json",
    ]
    assert [
        entry["name"] for entry in json.loads((folder / "api.cdx.json").read_text())["components"]
    ] == ["a"]
    assert write_missing_sboms(folder, {"api": IMAGE, "other": OTHER}) == []
    assert exports(client) == 2
    assert write_missing_sboms(folder, {"api": OTHER}) == ["api.cdx.json", "other.cdx.json"]
    assert sorted(path.name for path in folder.iterdir()) == ["api.cdx.json"]
    (folder / "api.cdx.json").write_text("{")
    assert write_missing_sboms(folder, {"api": OTHER}) == ["api.cdx.json"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no such container' >&2; exit 1\n", "no such container"),
        # A whole first member, then nothing: readers of archives take it for the end.
        (
            'tar -C "${0%docker}root" -cf - var | head -c 512; echo "engine is gone" >&2; exit 1\n',
            "engine is gone",
        ),
    ],
)
def test_a_stream_that_did_not_end_well_is_no_bill(
    client: Path, tmp_path: Path, script: str, said: str
) -> None:
    (client / "export").write_text(script)
    with pytest.raises(SbomError, match="listing the packages in shop-api:1 failed") as failed:
        write_missing_sboms(tmp_path / "sbom", {"api": IMAGE})
    assert failed.value.output == said
    assert not (tmp_path / "sbom").exists()
    assert "rm --volumes --force c0ffee" in (client / "calls").read_text()
