"""No space left: where the API may write, and on the database's volume."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.stack.containers import docker, wait_for
from tests.stack.edge_client import Answer
from tests.stack.production.conftest import KEEPER, Production

pytestmark = pytest.mark.docker

FILL = """
import sys
try:
    with open(sys.argv[1], "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
except OSError as error:
    print(error.strerror)
"""
READS = ("/tasks", "/tasks/1", "/tasks?limit=2", "/health")


@contextmanager
def full_volume() -> Iterator[None]:
    """No free block on the database's volume."""
    try:
        filled = docker("exec", KEEPER, "sh", "-c", "cat /dev/zero > /data/filler", check=False)
        assert "No space left" in filled.stderr
        yield
    finally:
        docker("exec", KEEPER, "rm", "-f", "/data/filler")


def write(production: Production, title: str) -> Answer | None:
    """One task of some pages, which compression does not make smaller."""
    return production.try_to(
        "POST", "/tasks", {"title": title, "description": secrets.token_hex(2000)}
    )


def is_honest(answer: Answer | None) -> bool:
    """Whether it says that the database is the matter, and when to try again."""
    return (
        answer is not None
        and answer.status == 503
        and answer.json["error"]["code"] == "database_unavailable"
        and int(answer.headers["retry-after"]) > 0
    )


def wait_for_writes(production: Production, title: str) -> None:
    def written() -> bool:
        answer = write(production, title)
        return answer is not None and answer.status == 201

    wait_for("a task to be written", written, 120)


@contextmanager
def full_folder(production: Production, folder: str) -> Iterator[None]:
    """No free byte in a folder of the API's replicas."""
    try:
        for name in production.names("api-web"):
            filled = docker("exec", name, "python", "-c", FILL, f"{folder}/filler").stdout
            assert filled.strip() == "No space left on device"
        yield
    finally:
        for name in production.names("api-web"):
            docker("exec", name, "rm", "-f", f"{folder}/filler", check=False)


def test_the_api_goes_on_with_a_full_folder_for_temporary_files(production: Production) -> None:
    production.wait_until_whole()
    replicas = production.names("api-web")
    restarts = [production.inspect(name)["RestartCount"] for name in replicas]
    with production.untouched_database(), full_folder(production, "/tmp"):
        answers = [production.ask("GET", path) for path in READS * 2]
        answers += [production.ask("GET", f"/nowhere/{number}") for number in range(4)]
        assert [one.status for one in answers] == [200] * 8 + [404] * 4
        # Errors of every kind, for the first time perhaps: each is counted.
        refused = [production.ask("POST", "/tasks", {"title": 1}).status for _ in range(4)]
        assert refused == [422] * 4
        written = [production.ask("POST", "/tasks", {"title": "kept"}).status for _ in range(4)]
        assert written == [201] * 4
    assert [production.inspect(name)["RestartCount"] for name in replicas] == restarts


def test_the_api_comes_back_after_its_shared_memory_was_full(production: Production) -> None:
    """Nothing but the API writes there; should it be filled, the kernel ends workers, and others take over."""
    production.wait_until_whole()
    with production.untouched_database():
        with full_folder(production, "/dev/shm"):
            for number in range(12):
                production.try_to("GET", f"/nowhere/{number}")
                production.try_to("POST", "/tasks", {"title": f"perhaps {number}"})
        production.wait_until_whole()
        assert production.ask("POST", "/tasks", {"title": "after shared memory"}).status == 201


def test_reads_go_on_and_writes_are_refused_while_the_volume_is_full(
    production: Production,
) -> None:
    production.wait_until_whole()
    with production.untouched_database():
        with full_volume():
            answers = {
                f"full-{number}": write(production, f"full-{number}") for number in range(24)
            }
            acknowledged = [title for title, one in answers.items() if one and one.status == 201]
            refused = [one for title, one in answers.items() if title not in acknowledged]
            assert refused
            assert all(is_honest(one) for one in refused)
            assert {production.ask("GET", path).status for path in READS} == {200}
        wait_for_writes(production, "after")
        assert {title for title in production.titles() if title.startswith("full-")} == set(
            acknowledged
        )


def test_a_database_that_cannot_log_stops_and_comes_back_with_every_row(
    production: Production,
) -> None:
    """PostgreSQL stops itself when its log has no room, and the engine tries to start it until there is some."""
    production.wait_until_whole()
    assert production.ask("POST", "/tasks", {"title": "the last before"}).status == 201
    name = f"{production.prefix}banco-dados"
    titles, restarts = production.titles(), production.inspect(name)["RestartCount"]
    log_switch = ("psql", "-XAtU", "admin", "-d", "tasks_db", "-c", "SELECT pg_switch_wal()")
    with full_volume():

        def stopped() -> bool:
            production.exec("banco-dados", *log_switch)
            answer = production.try_to("PUT", "/tasks/1", {"status": "completed"})
            assert is_honest(answer) or (answer and answer.status == 200), answer
            return int(production.inspect(name)["RestartCount"]) > restarts

        wait_for("the database to stop", stopped)
        began = time.monotonic()
        answers = [production.try_to("GET", "/tasks?limit=1"), write(production, "never")]
        assert all(is_honest(one) for one in answers), answers
        assert time.monotonic() - began < 15  # a client waits less than the edge's 10 s for each
        assert production.ask("GET", "/livez").status == 200
    wait_for_writes(production, "after the stop")
    production.wait_until_whole()
    assert production.titles()[: len(titles)] == titles
    assert "never" not in production.titles()
