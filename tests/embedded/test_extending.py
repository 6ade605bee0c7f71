"""What a user adds as docs/extending.md says, in a copy of the project: it comes up, is verified and is served."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml
from redis import Redis
from stackwright.runtimes.embedded.staging import staging_folder

from tests.embedded.stacks import Stack, listeners
from tests.support.project import Project, Run

PORT = 11480
VALUES = {
    "stack_runtime": "embedded",
    "api_port": PORT,
    "secrets_delivery": "file",
    "cache_user": "tasks_api",
    "cache_password": "a secret of the test's own",
    "stack_verify_timeout_seconds": 10,
}
QUEUE_PORT, COUNTER_PORT = PORT + 1, PORT + 2
ALL = "inventories/group_vars/all"
CATALOGUE = f"{ALL}/services.yml"
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

    motto: str
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
        return Content(Server(services.config.motto, source, msgspec.json.decode(payload)), "")

    return services.cache.fetch(SERVER_KEY, load, lambda payload: payload[:1] == b'"', show).response()
'''


SETTING = """
# What the service says of itself. For people.
# @schema {type: string, allowed: text}
api_motto: none
"""
SECRET = """
# Password of the queue. Whoever works with it has it.
queue_password: "{{ vault_queue_password }}"
"""
QUEUE = """---
# A queue that keeps data and a counter that keeps none: neither is reached from outside.

# Most memory of the queue.
# @schema {$ref: api_memory}
queue_memory: 32m

# Where they listen in the embedded runtime.
# @schema {$ref: api_port}
queue_port: "{{ api_port + 1 }}"
# @schema {$ref: api_port}
counter_port: "{{ api_port + 2 }}"
"""
SERVICES = """
  queue:
    title: Queue
    enabled: true
    needs: []
    container_ports: [6380]
    host_ports: []
    embedded_port: "{{ queue_port }}"
    user: "999:999"
    limits: {memory: "{{ queue_memory }}", cpus: 0.5, pids: 64}
    health_test: [CMD, redis-cli, -p, "6380", ping]
    command: [redis-server, "{secrets}/redis.conf", --bind, "{address}", --port, "{port}", --dir, "{data}",
              --appendonly, "yes", --maxmemory, "{{ queue_memory }}b"]
    grace_seconds: 30
    volumes: {queue_data: {folder: /data}}
    secrets: [queue_password]
    base: redis
  counter:
    title: Counter
    enabled: true
    needs: [queue]
    container_ports: [6381]
    host_ports: []
    embedded_port: "{{ counter_port }}"
    user: "999:999"
    limits: {memory: 32m, cpus: 0.5, pids: 64}
    health_test: [CMD, redis-cli, -p, "6381", ping]
    command: [redis-server, --bind, "{address}", --port, "{port}"]
    grace_seconds: 10
    secrets: []
    base: redis
"""


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
    for path, text in (
        (f"{ALL}/api.yml", SETTING),
        (f"{ALL}/secrets.yml", SECRET),
        (CATALOGUE, SERVICES),
    ):
        project.write(path, (project.folder / path).read_text(encoding="utf-8") + text)
    edit(project, CATALOGUE, "      LOG_LEVEL:", '      MOTTO: "{{ api_motto }}"\n      LOG_LEVEL:')
    log_level = "    log_level: str ="
    edit(
        project,
        f"{API}/config.py",
        log_level,
        f'    motto: str = _text("MOTTO", "none")\n{log_level}',
    )
    project.write(f"{ALL}/queue.yml", QUEUE)
    project.write("templates/secrets/queue/redis.conf.j2", 'requirepass "{{ queue_password }}"\n')
    try:
        yield project
    finally:
        run(project, "playbooks/stop.yml")


@pytest.fixture(scope="module")
def running(project: Project) -> Stack:
    """Its environment, with a Redis that lets the API do no more than it needs."""
    generated = run(project, "playbooks/secrets.yml")
    assert "generated  queue_password" in generated.output
    done = run(project, "site.yml")
    assert done.returncode == 0, done.output
    assert "Environment dev is up and verified" in done.output
    assert password(project) not in generated.output + done.output
    return Stack(project.output("dev"), api_port=PORT)


def run(project: Project, playbook: str, **settings: str) -> Run:
    """Run a playbook as its user does."""
    key = ("--vault-password-file", str(project.password_file))
    return project.run(
        playbook, "-i", "inventories/dev.yml", *key, "-e", json.dumps(VALUES | settings)
    )


def password(project: Project) -> str:
    """The secret of the queue as the embedded runtime has it."""
    path = project.output("dev") / "secrets/embedded/queue/queue_password"
    return path.read_text(encoding="utf-8")


def queue(project: Project) -> Redis:
    """A client of the queue."""
    return Redis(port=QUEUE_PORT, password=password(project), decode_responses=True)


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


def test_a_setting_reaches_the_api(project: Project, running: Stack) -> None:
    assert running.request("GET", "/server")[1]["motto"] == "none"
    assert run(project, "site.yml", api_motto="less is more").returncode == 0
    assert running.request("GET", "/server")[1]["motto"] == "less is more"
    environment = (running.output / "env/api-web.env").read_text(encoding="utf-8")
    assert "MOTTO='less is more'\n" in environment


def test_services_are_in_both_runtimes(project: Project, running: Stack) -> None:
    rows = running.rows()
    assert {rows[name].health for name in ("queue", "counter")} == {"healthy"}
    ports = {QUEUE_PORT, COUNTER_PORT}
    assert listeners(ports) == {port: {"127.0.0.1"} for port in ports}
    compose = yaml.safe_load((running.output / "docker-compose.yml").read_text(encoding="utf-8"))
    service = compose["services"]["queue"]
    assert service["command"][1:7] == [
        "/run/secrets/redis.conf", "--bind", "0.0.0.0", "--port", "6380", "--dir",
    ]  # fmt: skip
    assert "ports" not in service
    assert {one["target"] for one in service["secrets"]} == {"queue_password", "redis.conf"}
    assert service["volumes"] == [{"type": "volume", "source": "queue_data", "target": "/data"}]
    assert compose["volumes"]["queue_data"]
    assert "volumes" not in compose["services"]["counter"]
    assert compose["services"]["counter"]["depends_on"] == {
        "queue": {"condition": "service_healthy"}
    }


def test_a_service_that_changes_is_restarted_and_keeps_its_data(
    project: Project, running: Stack
) -> None:
    with queue(project) as client:
        client.set("job", "to do")
    before = running.pids()
    assert run(project, "site.yml", queue_memory="48m").returncode == 0
    after = running.pids()
    assert before["queue"] != after["queue"]
    assert before["counter"] == after["counter"]
    assert run(project, "playbooks/stop.yml").returncode == 0
    assert listeners({QUEUE_PORT}) == {QUEUE_PORT: set()}
    assert run(project, "site.yml").returncode == 0
    with queue(project) as client:
        assert client.get("job") == "to do"


def test_a_command_that_redis_refuses_is_named(project: Project, running: Stack) -> None:
    edit(project, ACL, " +zadd", "")
    done = run(project, "site.yml")
    assert done.returncode != 0
    assert "breaks a promise: health" in done.output
    assert "Redis refuses command zadd to the API's user" in done.output
    assert "users.acl.j2 has to allow it" in done.output
    degraded = {"status": "degraded", "cache": "refused: zadd"}
    assert running.request("GET", "/health")[1].items() >= degraded.items()
    log = running.folder.log("api-web").read_text(encoding="utf-8")
    assert "Cache refuses to this user: zadd" in log
    assert running.request("GET", "/tasks/1")[0] == 200


def test_destroying_removes_their_data(project: Project, running: Stack) -> None:
    kept = running.folder.data / "queue"
    data = kept if kept.is_dir() else staging_folder(running.output) / "data/queue"
    assert any(data.iterdir())
    listed = run(project, "playbooks/destroy.yml", destroy_confirm="dev")
    assert "embedded/data" in listed.output or str(data.parent) in listed.output
    assert any(data.iterdir())
    done = run(project, "playbooks/destroy.yml", destroy_confirm="dev", destroy_data="dev")
    assert done.returncode == 0, done.output
    assert not data.exists()
    assert listeners({QUEUE_PORT, COUNTER_PORT}) == {QUEUE_PORT: set(), COUNTER_PORT: set()}
