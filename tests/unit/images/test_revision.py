"""The commit a folder comes from: of that folder, not of the whole repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from stackwright.images.content_hash import revision_of


def git(folder: Path, *arguments: str) -> str:
    """A git command with an identity of its own, which reads no configuration of this machine."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    }  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with two folders, each with one commit."""
    git(tmp_path, "init", "-q")
    for name in ("app", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name, encoding="utf-8")
        git(tmp_path, "add", name)
        git(tmp_path, "commit", "-q", "-m", name)
    return tmp_path


def test_a_commit_elsewhere_does_not_move_it(checkout: Path) -> None:
    assert revision_of(checkout / "app") == git(checkout, "rev-parse", "HEAD~1")
    assert revision_of(checkout / "other") == git(checkout, "rev-parse", "HEAD")


def test_changed_and_new_files_are_said(checkout: Path) -> None:
    clean = revision_of(checkout / "app")
    (checkout / "app/new").write_text("x", encoding="utf-8")
    assert revision_of(checkout / "app") == f"{clean}-modified"
    (checkout / "app/new").unlink()
    (checkout / "app/file").write_text("y", encoding="utf-8")
    assert revision_of(checkout / "app") == f"{clean}-modified"
    assert "modified" not in revision_of(checkout / "other")


def test_outside_of_a_checkout_and_without_git_it_is_unknown(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "untracked").mkdir()
    assert revision_of(checkout / "untracked") == "unknown"
    assert revision_of(checkout / "missing") == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision_of(checkout / "app") == "unknown"
