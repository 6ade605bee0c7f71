"""Verification of a real environment whose clients never rest, whose table is long, and whose tasks have one member more."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from stackwright import layout
from stackwright.environment import environment_of
from stackwright.images.references import service_images
from stackwright.runtimes.embedded import commands
from stackwright.secrets.masking import Masker
from stackwright.verification.runner import verify
from stackwright.verification.target import Target
from stackwright.verification.tasks import TITLE

from tests.embedded.stacks import Stack
from tests.support.project import Project
from tests.support.resolving import dev_values
from tests.unit.verification.verification_stack import SEED

PORT = 11440
EVERYTHING = ("-i", "inventories/dev.yml", "-e", f"stack_runtime=embedded api_port={PORT}")
MIGRATION = "ALTER TABLE tasks ADD COLUMN owner text NOT NULL DEFAULT 'nobody';\n"
# One that must be given is the harder case: verification has to find out what.
FIELD = (
    "    owner: Annotated[str, Meta(description='Who does it.', examples=['Ana'], min_length=1)]\n"
)
LAST = "    updated_at: Moment\n"
WRITES_PER_SECOND = 50
MANY = "INSERT INTO tasks (title, description) SELECT 'One of many ' || n, repeat('x', 200) FROM generate_series(1, {}) n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An environment of a copy of the project to which a member of tasks was added, as a user adds one."""
    project = Project(tmp_path_factory.mktemp("verification") / "project")
    migrations = project.folder / "app/database/migrations"
    number = len(list(migrations.glob("*.sql"))) + 1
    (migrations / f"{number:04}_owner.sql").write_text(MIGRATION, encoding="utf-8")
    models = project.folder / "app/api/src/tasks_api/tasks/models.py"
    text = models.read_text(encoding="utf-8")
    assert text.count(LAST) == 1
    models.write_text(text.replace(LAST, LAST + FIELD), encoding="utf-8")
    try:
        run = project.run("site.yml", *EVERYTHING)
        assert run.returncode == 0, run.output
        assert "Environment dev is up and verified" in run.output
        yield Stack(project.output("dev"), api_port=PORT)
    finally:
        project.run("playbooks/stop.yml", *EVERYTHING)


@pytest.fixture(scope="module")
def target(running: Stack) -> Target:
    """The environment as the module verify_environment sees it."""
    values = dev_values(api_port=PORT)
    place = layout.place_of("dev", running.output, remote=False)
    images = service_images(values, "registry")
    access = commands.access(environment_of(values, images, place, "embedded"), values)
    return Target(
        environment="dev",
        runtime="embedded",
        base_url=access["url"],
        sql_command=access["sql"],
        redis_command=access["redis"],
        seed_tasks=SEED,
        cache_ttl=values["cache_ttl_seconds"],
    )


@contextmanager
def foreign_writes(stack: Stack) -> Iterator[Any]:
    """Other clients that create, change and delete tasks all the while; gives their counter."""
    done, written = Event(), count()

    def write() -> None:
        start = time.monotonic()
        while not done.is_set():
            task = stack.request("POST", "/tasks", {"title": "Another's", "owner": "Bo"})[1]["task"]
            path = f"/tasks/{task['id']}"
            stack.request("PUT", path, {"title": "Another's still"})
            stack.request("PUT", "/tasks/2", {"description": f"As of {task['id']}"})
            stack.request("DELETE", path)
            sent = [next(written) for _ in range(4)][-1] + 1
            done.wait(max(0.0, start + sent / WRITES_PER_SECOND - time.monotonic()))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            yield written
        finally:
            done.set()
        writing.result()


def test_a_member_that_a_task_has_besides_is_no_broken_promise(running: Stack) -> None:
    report = json.loads((running.output / "verify.json").read_text(encoding="utf-8"))
    assert report["ok"]
    assert not [proof for proof in report["proofs"] if proof["unknown"]]
    assert running.request("GET", "/tasks/1")[1]["task"]["owner"] == "nobody"


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [0, 100_000], ids=["few", "100,000 tasks"])
def test_others_may_write_all_the_while_and_verify_at_the_same_time(
    running: Stack, target: Target, tmp_path: Path, tasks: int
) -> None:
    running.sql(MANY.format(tasks))
    with foreign_writes(running) as written, ThreadPoolExecutor(3) as pool:
        # Two of one checkout, of which the second waits, and one of another.
        one, other = tmp_path / "one", tmp_path / "other"
        one.mkdir()
        other.mkdir()
        folders = [one, one, other]
        outcomes = list(pool.map(lambda folder: verify(target, folder, Masker()), folders))
    assert [outcome.message for outcome in outcomes] == ["", "", ""]
    assert next(written) > 10
    assert running.sql(f"SELECT count(*) FROM tasks WHERE title LIKE '{TITLE}%'") == "0"
    held = {proof.name for proof in outcomes[0].proofs if not proof.unknown}
    assert {"health", "schema", "ports"} <= held


@pytest.mark.slow
def test_probes_of_a_killed_verification_go_and_those_of_a_running_one_stay(
    running: Stack, target: Target, tmp_path: Path
) -> None:
    task = {"title": f"{TITLE}0123456789ab fresh", "owner": "Bo"}
    fresh = running.request("POST", "/tasks", task)[1]["task"]["id"]
    old = running.request("POST", "/tasks", task)[1]["task"]["id"]
    running.sql(f"UPDATE tasks SET created_at = created_at - interval '1 hour' WHERE id = {old}")
    assert verify(target, tmp_path, Masker()).message == ""
    assert running.request("GET", f"/tasks/{old}")[0] == 404
    assert running.request("DELETE", f"/tasks/{fresh}")[0] == 200
