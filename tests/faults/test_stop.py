"""The API stops under load, a worker dies, and a stop comes while it starts."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.api.servers import ApiProcess, Sql, wait_for
from tests.faults.conftest import STOP_SECONDS, start
from tests.faults.load import Load, answered
from tests.faults.test_database_restart import reads_and_writes, titles
from tests.support.processes import children


@pytest.mark.parametrize("round", range(3))
def test_sigterm_under_keep_alive_load(round: int, running: ApiProcess, sql: Sql) -> None:
    with Load(running, reads_and_writes, clients=16, pause=0.002) as load:
        wait_for(lambda: len(load.sent) > 500, "the load")
        asked = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() < asked + STOP_SECONDS
        wait_for(lambda: load.sent[-1].end == "refused", "the end")
    served = [one for one in load.sent if one.end != "refused"]
    answered(served, 200, 201, 404)
    stored = {title for (title,) in sql("SELECT title FROM tasks WHERE id > 3")}
    assert stored == titles(served, 201)


def test_worker_dies_under_load(running: ApiProcess) -> None:
    assert running.process
    server = running.process.pid
    with Load(running, reads_and_writes, clients=16, patience=5.0) as load:
        wait_for(lambda: len(load.sent) > 300, "the load")
        before = children(server)
        died = time.monotonic()
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: running.log.count("Started worker") == 3, "a new worker")
        time.sleep(0.5)
        back = time.monotonic()
        time.sleep(1)
    assert len(children(server)) == len(before)
    # Whoever was connected to the dead worker notices once, and is served by the other.
    lost = [one for one in load.sent if one.end != "answered"]
    assert len(lost) <= 16, lost
    assert all(died - 0.5 < one.ended < back for one in lost), lost
    answered([one for one in load.sent if one not in lost], 200, 201, 404)
    served = [one for one in load.sent if died < one.began < back and one.end == "answered"]
    assert len(served) > 100, "the other worker hardly served"


def test_workers_end_with_a_main_process_that_is_killed(
    running: ApiProcess, api_environment: dict[str, str]
) -> None:
    assert running.process
    workers = children(running.process.pid)
    with Load(running, reads_and_writes, clients=4, pause=0.002) as load:
        wait_for(lambda: len(load.sent) > 100, "the load")
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_for(lambda: load.sent[-1].end == "refused", "the end")
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the workers' end")
    answered([one for one in load.sent if one.end == "answered"], 200, 201, 404)
    running.start(**api_environment)  # the port is free


def test_sigterm_at_any_moment_of_the_start(
    api: ApiProcess, api_environment: dict[str, str]
) -> None:
    began = time.monotonic()
    start(api, api_environment)
    whole = time.monotonic() - began
    api.stop()
    moments = 8
    for moment in range(moments):
        api.start_only(**api_environment)
        time.sleep(whole * moment / moments)
        asked = time.monotonic()
        # Until it handles signals itself the process just dies of it.
        assert api.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() < asked + STOP_SECONDS


@pytest.mark.parametrize("worker", [1, 2])
def test_sigterm_just_when_a_worker_was_started(
    worker: int, api: ApiProcess, api_environment: dict[str, str]
) -> None:
    for _ in range(2):
        spawned = api.log.count("Spawning worker") if (api.folder / "log").exists() else 0
        api.start_only(**api_environment)
        wait_for(lambda n=spawned + worker: api.log.count("Spawning worker") >= n, "it")  # type: ignore[misc]
        asked = time.monotonic()
        assert api.stop() == 0
        assert time.monotonic() < asked + STOP_SECONDS
