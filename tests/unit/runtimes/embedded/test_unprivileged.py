"""Programs run as an unprivileged user when Ansible runs as root."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from pathlib import Path

import pytest
from stackwright.runtimes.embedded.processes import (
    UnprivilegedError,
    process_user,
    unprivileged_prefix,
)
from stackwright.runtimes.embedded.staging import open_to_all

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
NOBODY = pwd.getpwnam("nobody").pw_uid


def test_who_is_not_root_stays_who_he_is() -> None:
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            assert process_user("no-such-user") is None
        finally:
            os.seteuid(0)
    else:
        assert process_user("no-such-user") is None
    assert unprivileged_prefix(None) == []


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
def test_the_command_runs_as_that_user_and_no_capability_is_left() -> None:
    prefix = unprivileged_prefix(NOBODY)
    status = subprocess.run(
        [*prefix, "cat", "/proc/self/status"], capture_output=True, text=True, check=True
    ).stdout
    words = {line.split()[0]: line.split()[1:] for line in status.splitlines() if line.split()}
    assert set(words["Uid:"]) == {str(NOBODY)}
    assert words["Groups:"] == []
    assert words["CapEff:"] == ["0000000000000000"]


@pytest.mark.parametrize(
    ("folder", "file", "expected"),
    [(0o755, 0o644, True), (0o700, 0o644, False), (0o755, 0o600, False)],
)
def test_open_is_what_every_user_may_read(folder: int, file: int, expected: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "file")
        path.touch()
        path.chmod(file)
        path.parent.chmod(folder)
        assert open_to_all(path) is expected
        assert open_to_all(path.parent) is (folder == 0o755)
        assert open_to_all(path.parent / "made" / "later") is (folder == 0o755)


@as_root
def test_without_setpriv_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnprivilegedError, match=r"setpriv \(package util-linux\)"):
        unprivileged_prefix(NOBODY)
