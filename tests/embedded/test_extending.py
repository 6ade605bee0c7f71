"""What a user adds as docs/extending.md says, in a copy of the project: it comes up, is verified and is served."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.embedded.stacks import Stack
from tests.support.project import Project

PORT = 11480
VALUES = {
    "stack_runtime": "embedded",
    "api_port": PORT,
    "secrets_delivery": "file",
    "cache_user": "tasks_api",
    "cache_password": "a secret of the test's own",
    "stack_verify_timeout_seconds": 10,
}
EVERYTHING = ("-i", "inventories/dev.yml", "-e", json.dumps(VALUES))
API = "app/api/src/tasks_api"
REDIS, ACL = f"{API}/cache/redis.py", "templates/secrets/cache-redis/users.acl.j2"
MIGRATION = "ALTER TABLE tasks ADD COLUMN priority integer NOT NULL DEFAULT 3;\n"
FIELD = (
    "    priority: Annotated[int, Meta(description='From 1 to 5.', ge=1, le=5, extra=FILTER)] = 3\n"
)
ENDPOINT = '''"""Which server the database is."""

from typing import Literal

import msgspec
from flask import Blueprint
from msgspec import Struct

from tasks_api.cache.redis import SERVER_KEY
from tasks_api.db.database import Database
from tasks_api.http.messages import Content, Response, current
from tasks_api.openapi.operations import describe

blueprint = Blueprint("server", __name__)


class Server(Struct):
    """The server of the database."""

    source: Literal["cache", "database"]
    version: str


@blueprint.get("/server")
@describe({200: Server}, scope="read", needs_flask=False)
def server() -> Response:
    """Show the version of the database's server."""
    services = current.get().services

    def load() -> bytes:
        return msgspec.json.encode(services.database.read("SELECT current_setting('server_version')")[0])

    def show(source: str, payload: bytes) -> Content:
        return Content(Server(source, msgspec.json.decode(payload)), "")

    return services.cache.fetch(SERVER_KEY, load, lambda payload: payload[:1] == b'"', show).response()
'''


def edit(project: Project, path: str, old: str, new: str) -> None:
    """Replace what stands once in a file of the project."""
    file = project.folder / path
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} in {path}"
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy with a field of a task that is a filter, and an endpoint that is cached under a key of its own."""
    project = Project(tmp_path_factory.mktemp("extending") / "project")
    number = len(list((project.folder / "app/database/migrations").glob("*.sql"))) + 1
    project.write(f"app/database/migrations/{number:04}_priority.sql", MIGRATION)
    edit(
        project,
        f"{API}/tasks/models.py",
        "    updated_at: Moment\n",
        f"    updated_at: Moment\n{FIELD}",
    )
    project.write(f"{API}/ops/server.py", ENDPOINT)
    edit(
        project,
        f"{API}/app.py",
        "from tasks_api.ops import logs",
        "from tasks_api.ops import logs, server",
    )
    edit(
        project,
        f"{API}/app.py",
        "(*ops_views.BLUEPRINTS,",
        "(*ops_views.BLUEPRINTS, server.blueprint,",
    )
    edit(
        project,
        REDIS,
        "KEYS = (LIST_KEY,",
        'SERVER_KEY = "server"\nKEYS = (f"{SERVER_KEY}*", LIST_KEY,',
    )
    edit(project, ACL, " ~all_tasks ", " ~server* ~all_tasks ")
    try:
        yield project
    finally:
        project.run("playbooks/stop.yml", *EVERYTHING)


@pytest.fixture(scope="module")
def running(project: Project) -> Stack:
    """Its environment, with a Redis that lets the API do no more than it needs."""
    run = project.run("site.yml", *EVERYTHING)
    assert run.returncode == 0, run.output
    assert "Environment dev is up and verified" in run.output
    return Stack(project.output("dev"), api_port=PORT)


def test_a_field_is_served_and_verified(project: Project, running: Stack) -> None:
    report = json.loads((running.output / "verify.json").read_text(encoding="utf-8"))
    assert report["ok"]
    assert not [result for result in report["proofs"] if result["unknown"]]
    assert running.request("GET", "/tasks/1")[1]["task"]["priority"] == 3
    created = running.request("POST", "/tasks", {"title": "t", "priority": 5})[1]["task"]
    assert created["priority"] == 5
    assert running.request("GET", "/tasks?priority=5")[1]["tasks"] == [created]


def test_an_endpoint_is_served_described_and_cached(running: Stack) -> None:
    answers = [running.request("GET", "/server") for _ in range(2)]
    assert [(status, body["source"]) for status, body in answers] == [
        (200, "database"),
        (200, "cache"),
    ]
    assert answers[0][1]["version"] == answers[1][1]["version"]
    assert "/server" in running.request("GET", "/openapi.json")[1]["paths"]
    assert running.request("GET", "/health")[1] == dict.fromkeys(
        ("api", "cache", "database"), "healthy"
    )


def test_a_command_that_redis_refuses_is_named(project: Project, running: Stack) -> None:
    edit(project, ACL, " +zadd", "")
    run = project.run("site.yml", *EVERYTHING)
    assert run.returncode != 0
    assert "breaks a promise: health" in run.output
    assert "Redis refuses command zadd to the API's user" in run.output
    assert "users.acl.j2 has to allow it" in run.output
    degraded = {"status": "degraded", "cache": "refused: zadd"}
    assert running.request("GET", "/health")[1].items() >= degraded.items()
    log = running.folder.log("api-web").read_text(encoding="utf-8")
    assert "Cache refuses to this user: zadd" in log
    assert running.request("GET", "/tasks/1")[0] == 200
