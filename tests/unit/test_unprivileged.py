"""Programs run as an unprivileged user when Ansible runs as root."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stackwright.unprivileged import UnprivilegedError, process_user, unprivileged_prefix

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
NOBODY = pwd.getpwnam("nobody").pw_uid


@pytest.fixture
def closed_folder(tmp_path: Path) -> Path:
    """A folder that only its owner may enter, with a file that anybody may read."""
    (tmp_path / "file").write_text("content", encoding="utf-8")
    (tmp_path / "file").chmod(0o644)
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_who_is_not_root_stays_who_he_is() -> None:
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            assert process_user("no-such-user") is None
        finally:
            os.seteuid(0)
    else:
        assert process_user("no-such-user") is None
    assert unprivileged_prefix(None, [Path("/")]) == []


@as_root
def test_root_becomes_the_user_that_is_named() -> None:
    assert process_user("nobody") == NOBODY


@as_root
def test_a_user_that_does_not_exist_is_named() -> None:
    with pytest.raises(
        UnprivilegedError, match="embedded_user: there is no user no-such-user; set it"
    ):
        process_user("no-such-user")


@as_root
def test_the_command_runs_as_that_user_and_no_capability_is_left(open_folder: Path) -> None:
    prefix = unprivileged_prefix(NOBODY, [open_folder])
    status = subprocess.run(
        [*prefix, "cat", "/proc/self/status"], capture_output=True, text=True, check=True
    ).stdout
    words = {line.split()[0]: line.split()[1:] for line in status.splitlines() if line.split()}
    assert set(words["Uid:"]) == {str(NOBODY)}
    assert words["Groups:"] == []
    assert words["CapEff:"] == ["0000000000000000"]


@as_root
def test_a_closed_folder_can_be_read_and_nothing_else_is_gained(closed_folder: Path) -> None:
    prefix = unprivileged_prefix(NOBODY, [closed_folder])
    read = subprocess.run(
        [*prefix, "cat", str(closed_folder / "file")], capture_output=True, text=True, check=False
    )
    assert read.stdout == "content", read.stderr
    write = subprocess.run(
        [*prefix, "touch", str(closed_folder / "new")], capture_output=True, check=False
    )
    assert write.returncode != 0


@as_root
def test_without_setpriv_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnprivilegedError, match=r"setpriv \(package util-linux\)"):
        unprivileged_prefix(NOBODY, [])
