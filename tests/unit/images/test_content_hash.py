"""What the hash of a build covers, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest
from stackwright.images.content_hash import content_hash, input_files
from stackwright.rendering.files import LEFTOVERS

from tests.support.project import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / "sub" / "run").write_text("#!/bin/sh\n")
    return tmp_path


def test_the_same_content_elsewhere_has_the_same_hash(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy")
    for path in input_files(folder):
        (copy / path.relative_to(folder)).parent.mkdir(exist_ok=True)
        (copy / path.relative_to(folder)).write_bytes(path.read_bytes())
    assert content_hash([copy]) == content_hash([folder])
    assert len(content_hash([folder])) == 12


def test_content_name_and_execute_bit_each_count(folder: Path) -> None:
    seen = {content_hash([folder])}
    (folder / "sub" / "run").chmod(0o755)
    seen.add(content_hash([folder]))
    (folder / "Dockerfile").write_text("FROM y\n")
    seen.add(content_hash([folder]))
    (folder / "Dockerfile").rename(folder / "Containerfile")
    seen.add(content_hash([folder]))
    assert len(seen) == 4


def test_words_count_and_are_kept_apart(folder: Path) -> None:
    assert (
        len(
            {
                content_hash([folder], words)
                for words in ([], ["ab"], ["a", "b"], ["b", "a"], ["ab", ""])
            }
        )
        == 5
    )


def test_time_of_change_does_not_count(folder: Path) -> None:
    before = content_hash([folder])
    (folder / "Dockerfile").write_text((folder / "Dockerfile").read_text())
    assert content_hash([folder]) == before


def test_what_tools_leave_behind_does_not_count(folder: Path) -> None:
    before = content_hash([folder])
    for name in ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "x.egg-info"):
        (folder / "sub" / name).mkdir()
        (folder / "sub" / name / "file").write_text("x")
    for name in ("module.pyc", ".run.swp", "run~", "#run#", ".#run", "run.bak", "run.orig"):
        (folder / name).write_text("x")
    assert content_hash([folder]) == before


def test_a_build_ignores_what_its_hash_leaves_out() -> None:
    lines = (ROOT / "app/api/.dockerignore").read_text(encoding="utf-8").splitlines()
    last_included = max(number for number, line in enumerate(lines) if line.startswith("!"))
    assert [line for line in lines[last_included + 1 :] if not line.startswith("# ")] == [
        f"**/{pattern}" for pattern in LEFTOVERS
    ]
