"""A container of the API that takes all it can get: its limits keep the database and the other replica out of it."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.stack.containers import docker, wait_for
from tests.stack.production.conftest import Production

pytestmark = pytest.mark.docker

# The kernel ends the process that is worst by its score, so the one that allocates makes itself the better one. It stops
# when a victim has ended, not when its parent has collected it: allocating on meanwhile would cost its own life.
ALLOCATE = """
import os, sys
def processes(): return [int(name) for name in os.listdir("/proc") if name.isdigit()]
def fields(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(") ")[2].split()
def parent(pid): return int(fields(pid)[1])
def runs(pid):
    try: return fields(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError): return False
main = next(pid for pid in processes() if parent(pid) == 1)
victims = [main] if sys.argv[1] == "main" else [pid for pid in processes() if parent(pid) == main]
for pid in victims:
    with open(f"/proc/{pid}/oom_score_adj", "w") as score:
        score.write("1000")
print(len(victims), flush=True)
held = []
while all(runs(pid) for pid in victims):
    held.append(b"x" * 1048576)
print("killed", flush=True)
"""
TRIED = "A worker cannot be started"
# Every process forks until none may be made; each ends by itself. SIGALRM is not inherited, so every child sets its own.
BOMB = """
import os, signal, time
end = time.time() + 8
while time.time() < end:
    signal.alarm(max(1, int(end - time.time())))
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
"""


def test_a_worker_that_runs_out_of_memory_is_replaced(production: Production) -> None:
    production.wait_until_whole()
    name = production.names("api-web")[0]
    started = production.inspect(name)["State"]["StartedAt"]
    with production.untouched_database():
        said = docker("exec", name, "python", "-c", ALLOCATE, "worker").stdout.split()
        assert said == ["2", "killed"]
        assert [production.ask("GET", "/tasks/1").status for _ in range(8)] == [200] * 8
        wait_for("two workers again", lambda: workers(name) == 2)
        assert production.ask("POST", "/tasks", {"title": "after a worker"}).status == 201
    assert production.inspect(name)["State"]["StartedAt"] == started


def test_an_api_that_runs_out_of_memory_is_restarted(production: Production) -> None:
    production.wait_until_whole()
    name = production.names("api-web")[0]
    restarts = production.inspect(name)["RestartCount"]
    with production.untouched_database():
        docker("exec", name, "python", "-c", ALLOCATE, "main", check=False)
        wait_for("a restart", lambda: production.inspect(name)["RestartCount"] > restarts)
        assert [production.ask("GET", "/tasks/1").status for _ in range(8)] == [200] * 8
        production.wait_until_whole()
        assert production.ask("POST", "/tasks", {"title": "after a replica"}).status == 201


def test_a_fork_bomb_ends_at_the_limit_and_leaves_nothing_behind(production: Production) -> None:
    production.wait_until_whole()
    name = production.names("api-web")[0]
    lines = len(log_of(name))
    counted = []
    with production.untouched_database():
        with subprocess.Popen(["docker", "exec", name, "python", "-c", BOMB]) as bomb:

            def at_the_limit() -> bool:
                counted.append(processes(name))
                return counted[-1] > 200 or bomb.poll() is not None

            wait_for("the bomb to grow", at_the_limit)
            reads = {production.ask("GET", "/tasks/1").status for _ in range(6)}
            written = production.ask("POST", "/tasks", {"title": "meanwhile"}).status
            bomb.wait(60)
        assert 200 < max(counted) < 300  # 256 of its own, and the checks that the engine puts in
        assert reads == {200}  # what the replica does not answer the edge asks the other one
        assert written in (
            201,
            502,
            503,
            504,
        )  # 502: under way in a worker that ended, as docs/edge.md has it
        assert written != 201 or "meanwhile" in production.titles()
        wait_for("the bomb to end", lambda: processes(name) < 40)
        production.wait_until_whole()
        assert production.ask("POST", "/tasks", {"title": "after the bomb"}).status == 201
    assert "Traceback" not in "\n".join(log_of(name)[lines:])


def test_a_worker_that_cannot_be_started_is_started_later(production: Production) -> None:
    production.wait_until_whole()
    name = production.names("api-web")[0]
    lines, found = len(log_of(name)), production.inspect(name)
    docker("update", "--pids-limit", "1", name)  # those that run may stay
    try:
        os.kill(worker_of(name), signal.SIGKILL)
        wait_for("a start that fails", lambda: any(TRIED in line for line in log_of(name)[lines:]))
    finally:
        docker("update", "--pids-limit", str(found["HostConfig"]["PidsLimit"]), name)
    wait_for("two workers again", lambda: workers(name) == 2)
    production.wait_until_whole()
    assert production.inspect(name)["RestartCount"] == found["RestartCount"]


def worker_of(name: str) -> int:
    """The process id, on this host, of one of the API's workers: a child of the main process."""
    rows = [
        row.split(None, 2)
        for row in docker("top", name, "-eo", "pid,ppid,args").stdout.splitlines()
    ]
    servers = {
        pid: parent
        for pid, parent, words in rows
        if "-m tasks_api" in words and "init" not in words
    }
    return next(int(pid) for pid, parent in servers.items() if parent in servers)


def processes(name: str) -> int:
    """Processes and threads of a container, as its limit counts them."""
    shown = docker("stats", "--no-stream", "--format", "{{.PIDs}}", name).stdout.strip()
    return int(shown) if shown.isdigit() else 0


def workers(name: str) -> int:
    """Processes of the API's server but for the main one."""
    lines = docker("top", name, "-eo", "pid,args").stdout.splitlines()
    return sum("python -m tasks_api" in line and "docker-init" not in line for line in lines) - 1


def log_of(name: str) -> list[str]:
    done = docker("logs", name)
    return (done.stdout + done.stderr).splitlines()
