"""One way to run a program, to lock a folder and to keep to a deadline."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from stackwright.system import (
    NOT_FOUND,
    TIMED_OUT,
    CommandError,
    Deadline,
    OutOfTimeError,
    lock_folder,
    run,
    run_checked,
)

LONG = 300_000


def test_a_program_gets_input_and_variables_and_its_words_come_back() -> None:
    done = run(["sh", "-c", "cat; echo $WORD >&2; exit 3"], 30, {"WORD": "wörd"}, "given")
    assert (done.code, done.out, done.err) == (3, "given", "wörd\n")
    assert done.text == "given\nwörd"


def test_a_program_runs_in_the_folder_that_is_named(tmp_path: Path) -> None:
    assert run(["pwd"], 30, folder=tmp_path).out == f"{tmp_path}\n"
    gone = run(["pwd"], 30, folder=tmp_path / "gone")
    assert (gone.code, gone.err) == (NOT_FOUND, f"{tmp_path}/gone: No such file or directory")


def test_without_input_a_program_reads_an_end() -> None:
    assert run(["cat"], 30).out == ""


def test_a_program_that_is_missing_is_a_result_that_names_it() -> None:
    done = run(["no-such-program"], 30)
    assert (done.code, done.err) == (NOT_FOUND, "no-such-program: No such file or directory")
    with pytest.raises(CommandError, match="^no-such-program: No such file or directory$"):
        run_checked(["no-such-program"], 30)


def test_what_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    begin = time.monotonic()
    done = run(["sh", "-c", "sleep 600 & sleep 600"], 0.2)
    assert (done.code, done.err) == (TIMED_OUT, "no answer in 0 s")
    assert time.monotonic() - begin < 300


def test_a_command_that_has_to_succeed_is_not_cut_and_tells_its_last_word() -> None:
    script = f"print('x' * {LONG})"
    assert len(run_checked([sys.executable, "-c", script], 60).out) == LONG + 1
    assert len(run([sys.executable, "-c", script], 60).out) < LONG
    with pytest.raises(CommandError) as failed:
        run_checked(["sh", "-c", "echo out; echo first >&2; echo last >&2; exit 4"], 30)
    assert str(failed.value) == "last"
    assert failed.value.completed.text == "out\nfirst\nlast"
    with pytest.raises(CommandError, match="^exit code 4$"):
        run_checked(["sh", "-c", "exit 4"], 30)


def test_a_locked_folder_is_waited_for_and_then_named(tmp_path: Path) -> None:
    with lock_folder(tmp_path, 1), pytest.raises(TimeoutError) as late, lock_folder(tmp_path, 0.1):
        pass
    assert late.value.filename == str(tmp_path)
    assert late.value.strerror == "another run works there, still after 0 s"
    with lock_folder(tmp_path, 0):
        pass
    assert os.listdir(tmp_path) == []


def test_an_error_inside_a_locked_folder_lets_it_go(tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock_folder(tmp_path, 0):
        raise KeyError
    with lock_folder(tmp_path, 0):
        pass


def test_a_deadline_bounds_every_wait_and_then_ends_them() -> None:
    deadline = Deadline(600)
    assert deadline.bound(5) == 5
    assert 0 < deadline.bound(10_000) <= 600
    over = Deadline(0)
    assert over.left() == 0
    with pytest.raises(OutOfTimeError):
        over.pause(1)
