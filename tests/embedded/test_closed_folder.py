"""As root in a folder that only root may enter, as a checkout below /root is or one cloned under umask 077."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest
from stackwright.runtimes.embedded import staging
from stackwright.runtimes.embedded.folder import EmbeddedError
from stackwright.runtimes.embedded.staging import home_of, remove_staging, staging_folder

from tests.api.servers import open_folder
from tests.embedded.conftest import SECRETS
from tests.embedded.stacks import Stack, lives

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
NOBODY = pwd.getpwnam("nobody").pw_uid


@pytest.fixture
def parent() -> Path:
    """The folder around an output folder, open to everybody at first."""
    return open_folder()


@pytest.fixture
def stack(parent: Path) -> Iterator[Stack]:
    """Not rendered yet; secrets are files that the processes read by themselves."""
    stack = Stack(
        parent / "out",
        api_port=11440,
        secrets_delivery="file",
        db_app_user="tasks_app",
        cache_user="tasks_api",
        **SECRETS,
    )
    yield stack
    stack.stop()
    remove_staging(stack.output)


def modes(folder: Path) -> set[tuple[int, int]]:
    """Owner and permissions of the secrets' copies."""
    files = [path.stat() for path in (folder / "secrets").rglob("*") if path.is_file()]
    return {(status.st_uid, status.st_mode & 0o777) for status in files}


def test_it_runs_under_any_umask_and_keeps_its_data(stack: Stack, parent: Path) -> None:
    parent.chmod(0o700)
    staged, before = staging_folder(stack.output), os.umask(0o077)
    try:
        stack.render()
        assert stack.start().started == ["banco-dados", "cache-redis", "api-web"]
    finally:
        os.umask(before)
    assert stack.request("POST", "/tasks", {"title": "kept"})[0] == 201
    assert (staged / "environment").readlink() == stack.output
    assert staged.stat().st_mode & 0o777 == 0o711
    assert modes(staged) == {(NOBODY, 0o400)}
    assert not stack.start().changed
    for pid in filter(lives, stack.all_pids()[1:]):
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{NOBODY}\t{NOBODY}" in status
        assert "CapEff:\t0000000000000000" in status
    stack.stop()
    assert sorted(path.name for path in staged.iterdir()) == ["data", "environment"]
    assert (stack.folder.data / "postgres").resolve() == staged / "data" / "postgres"
    stack.start()
    assert "kept" in stack.sql("SELECT title FROM tasks")


def test_data_follow_when_a_folder_is_closed_later_and_opened_again(
    stack: Stack, parent: Path
) -> None:
    stack.render()
    stack.start()
    stack.request("POST", "/tasks", {"title": "followed"})
    parent.chmod(0o700)
    with pytest.raises(EmbeddedError, match="may not enter .*render the environment first"):
        stack.start()
    stack.render()
    assert stack.start().restarted == ["banco-dados", "cache-redis", "api-web"]
    assert "followed" in stack.sql("SELECT title FROM tasks")
    parent.chmod(0o755)
    stack.render()
    stack.start()
    assert "followed" in stack.sql("SELECT title FROM tasks")


def test_a_changed_secret_is_foreseen_and_taken(stack: Stack, parent: Path, tmp_path: Path) -> None:
    parent.chmod(0o700)
    stack.render()
    stack.start()
    stack.render(cache_password="another one, quite long enough")
    assert stack.module("started", tmp_path, "--check")["restarted"] == ["cache-redis", "api-web"]
    assert stack.start().restarted == ["cache-redis", "api-web"]


def test_where_nothing_can_be_kept_the_way_out_is_named(
    stack: Stack, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent.chmod(0o700)
    stack.render()
    blocked = parent / "a file"
    blocked.touch()
    monkeypatch.setattr(staging, "ROOT", blocked)
    with pytest.raises(
        EmbeddedError, match="Not a directory.*such as /srv, or work as an ordinary"
    ):
        stack.start()


def test_nobody_who_may_enter_is_sent_elsewhere(parent: Path) -> None:
    assert home_of(parent / "out", NOBODY) == parent / "out"
    assert home_of(parent / "out", None) == parent / "out"
