"""One run at a time: a lock that a process of a run takes is the run's, and goes with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from stackwright.output.run_lock import Holder, RunLock, RunLockError

ME = Holder(os.getpid(), "ann", "ansible-playbook site.yml", "2026-01-31 12:00:00")
OTHER = Holder(
    4711, "bob", "ansible-playbook -i inventories/prod.yml site.yml", "2026-01-31 12:01:00"
)


@pytest.fixture
def open_run(tmp_path: Path) -> Callable[[], RunLock]:
    """What ansible-playbook does when it starts: each call is another run."""
    (tmp_path / "file").touch()
    return lambda: RunLock(tmp_path / "file", tmp_path / "generated")


def take(run: RunLock, *environments: str, me: Holder = OTHER, seconds: float = 0.3) -> list[str]:
    said: list[str] = []
    run.take(environments, me, said.append, seconds)
    return said


def in_a_task(action: Callable[[], object]) -> None:
    """Do something in a process that is forked for it and ends, as Ansible's tasks do."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_a_task_took_its_run_keeps(open_run: Callable[[], RunLock]) -> None:
    mine, other = open_run(), open_run()
    in_a_task(lambda: take(mine, "dev", me=ME))
    in_a_task(lambda: take(mine, "dev", me=ME))
    with pytest.raises(RunLockError) as refused:
        take(other, "dev")
    assert str(refused.value) == (
        f"`ansible-playbook site.yml` of ann (pid {os.getpid()}, since 2026-01-31 12:00:00) works on dev, "
        "still after 0 s; wait until it has ended, or end it"
    )
    assert take(other, "prod") == []


def test_who_waits_says_for_whom_and_goes_on(open_run: Callable[[], RunLock]) -> None:
    other = open_run()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        take(open_run(), "dev", me=ME)
        os.write(writer, b"x")
        signal.pause()
    os.read(reader, 1)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        os.kill(child, signal.SIGKILL)  # a run that is killed lets go, too

    other.take(["dev"], OTHER, say, 60)
    os.waitpid(child, 0)
    assert said == [f"waiting for {ME}, which works on dev"]


def test_a_folder_that_nobody_may_write_to_takes_no_turn_away(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "notes").touch()
    one, two = (RunLock(tmp_path / "file", tmp_path / "notes/below") for _ in range(2))
    assert take(one, "dev") == []
    with pytest.raises(RunLockError, match="another run works on dev"):
        take(two, "dev")


def test_a_checkout_that_may_not_be_written_has_its_lock_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, two = (RunLock(tmp_path / "nowhere/file", tmp_path / name) for name in ("a", "b"))
    assert take(one, "dev") == []
    assert take(two, "dev") == []  # another checkout's
    with pytest.raises(RunLockError):
        take(RunLock(tmp_path / "nowhere/file", tmp_path / "a"), "dev")
    assert (tmp_path / f"stackwright-{os.geteuid()}.lock").stat().st_mode & 0o777 == 0o600
