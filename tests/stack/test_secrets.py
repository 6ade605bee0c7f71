"""The leak gate: an environment with marked secrets, up on Docker, and the marks are nowhere but in the secret files.

And what the roles may do there, and that a changed secret takes effect.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.stack.conftest import Stack, free_port, run
from tests.stack.leaks import ProcessWatch, leaks_in
from tests.support.project import Project, Run, encrypted, tree

pytestmark = pytest.mark.docker

MARK = "lEaK7f3a"
VAULT = "inventories/group_vars/swleak/vault.yml"
DIFFICULT = " \"q'uo\\te $x ${y} #z `id` %s {{ a }} ½ ª ﬁ é🎉 مرحبا "
KINDS = ("db", "db_app", "db_backup", "db_monitor", "cache")
TOKENS = {"operator": "admin", "writer": "write"}
TOKEN_SECRETS = tuple(f"api_token_{name}" for name in TOKENS)
SERVICES = ("banco-dados", "cache-redis", "api-web")
PLAYBOOK = """---
- hosts: all
  gather_facts: false
  tasks:
    - {name: Print, ansible.builtin.debug: {msg: "{{ db_app_password }}"}}
"""
AS_THE_API = """
import psycopg2, tasks_api.config
config = tasks_api.config.Config.from_environment()
connection = psycopg2.connect(host=config.db_host, port=config.db_port, dbname=config.db_name,
                              user=config.db_user, password=config.db_password)
connection.autocommit = True
run = connection.cursor().execute
"""
DROP = f'{AS_THE_API}run("DROP TABLE tasks")'
HARM = f"""{AS_THE_API}
run("ALTER ROLE tasks_app SET search_path = nowhere")
run("ALTER ROLE tasks_app PASSWORD 'its own'")
run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = user AND pid <> pg_backend_pid()")
"""


def token(name: str, generation: int) -> str:
    """A marked token; a header carries no difficult ones."""
    return f"{MARK}-{name}-{generation}-._~+/=="


def vault(generation: int) -> str:
    """A vault with a marked secret for every purpose."""
    secrets = {f"vault_{kind}_password": f"{MARK}-{kind}-{generation}{DIFFICULT}" for kind in KINDS}
    # JSON is YAML, and !unsafe keeps what looks like a template from being one.
    lines = [
        f"{name}: !unsafe {json.dumps(text, ensure_ascii=False)}\n"
        for name, text in secrets.items()
    ]
    tokens = {name: token(name, generation) for name in TOKENS}
    return encrypted("".join([*lines, f"vault_api_token_secrets: {json.dumps(tokens)}\n"]))


class Leaky(Stack):
    """A strict environment whose vault is open, everything it says recorded, its processes watched."""

    def __init__(self, project: Project, port: int) -> None:
        super().__init__(project, "swleak", "swleak-", port)
        self.watch = ProcessWatch(MARK.encode())
        self.said = ""
        self.generation = 1

    def play(self, playbook: str, *arguments: str, **variables: str) -> Run:
        variables["ANSIBLE_VAULT_PASSWORD_FILE"] = str(self.project.password_file)
        with self.watch.all_the_while():
            done = super().play(playbook, *arguments, **variables)
        self.said += done.output
        return done

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A request with a token that may write."""
        bearer = f"Bearer {token('writer', self.generation)}"
        return self.request(method, path, body, {"Authorization": bearer})

    def names(self) -> list[str]:
        return [f"{self.prefix}{name}" for name in SERVICES]


@pytest.fixture(scope="module")
def stack(shared_project: Project) -> Iterator[Leaky]:
    port = free_port()
    settings = (
        f"api_port: {port}\nstack_health_interval_seconds: 1\napi_log_level: DEBUG\n"
        f"api_log_format: json\napi_auth: token\napi_tokens: {TOKENS}\n"
    )
    shared_project.environment("swleak", settings)
    shared_project.write(VAULT, vault(1))
    one = Leaky(shared_project, port)
    try:
        done = one.site("-vvv", "--diff")
        assert done.returncode == 0, done.output[-6000:].replace(MARK, "MARK")
        one.request("GET", "/tasks")
        status, created = one.ask("POST", "/tasks", {"title": "by a token"})
        assert status == 201
        assert one.ask("DELETE", f"/tasks/{created['task']['id']}")[0] == 200
        with pytest.raises(HTTPError, match="401"):
            one.request("POST", "/tasks", {"title": "by nobody"})
        yield one
    finally:
        one.remove()


def test_the_watch_sees_what_it_looks_for(stack: Leaky) -> None:
    environment = {"PATH": "/usr/bin:/bin", "CONTROL": "cOnTrOl9x"}
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        watch = ProcessWatch(b"cOnTrOl9x")
        watch.look()
        process.kill()
    assert watch.found
    assert stack.watch.rounds > 10


def test_no_process_has_a_secret_as_argument_or_in_its_environment(stack: Leaky) -> None:
    with stack.watch.all_the_while():
        for name in ("banco-dados", "cache-redis"):
            assert stack.exec(name, "true").returncode == 0
        assert stack.play("playbooks/verify.yml").returncode == 0
    assert stack.watch.found == set()


def test_no_rendered_file_but_the_secret_ones_holds_a_secret(stack: Leaky) -> None:
    holding = {path for path, content in tree(stack.folder).items() if MARK.encode() in content}
    expected = {
        "banco-dados": ("db_password", "db_app_password", "db_backup_password", "db_monitor_password"),
        "cache-redis": ("cache_password",),
        "api-web": ("db_app_password", "cache_password", *TOKEN_SECRETS),
    }  # fmt: skip
    assert holding == {f"secrets/{who}/{name}" for who, names in expected.items() for name in names}
    assert {"manifest.json", "verify.json", "env/api-web.env"} <= tree(stack.folder).keys()


def test_a_secret_file_is_for_its_reader_alone(stack: Leaky) -> None:
    users = {"banco-dados": 999, "cache-redis": 999, "api-web": 10001}
    assert (stack.folder / "secrets").stat().st_mode & 0o777 == 0o711
    for service, uid in users.items():
        for path in (stack.folder / "secrets" / service).iterdir():
            assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o400, uid), path


def test_docker_knows_no_secret(stack: Leaky) -> None:
    images = [
        run("docker", "inspect", "--format", "{{.Image}}", name).stdout.strip()
        for name in stack.names()
    ]
    mark = MARK.encode()
    assert not leaks_in(mark, "docker", "inspect", *stack.names(), *images)
    for image in images:
        assert not leaks_in(mark, "docker", "history", "--no-trunc", image)
        assert not leaks_in(mark, "docker", "save", image)
    for name in stack.names():
        assert not leaks_in(mark, "docker", "logs", name)
        assert not leaks_in(mark, "docker", "export", name)
        assert not leaks_in(mark, "docker", "exec", name, "env")
        assert leaks_in(mark, "docker", "exec", name, "sh", "-c", "cat /run/secrets/*")


def test_the_databases_files_hold_no_password(stack: Leaky) -> None:
    found = stack.exec("banco-dados", "grep", "-rlaF", MARK, "/var/lib/postgresql/data")
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "")
    kept = "SELECT count(*), bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid WHERE rolcanlogin"
    shown = stack.exec("banco-dados", "psql", "-XAtU", "admin", "-d", "tasks_db", "-c", kept)
    assert shown.stdout.strip() == "4|t"


def test_ansible_and_its_reports_say_no_secret(stack: Leaky) -> None:
    ahead = stack.play(
        "playbooks/render.yml",
        "--check",
        "--diff",
        "-vvv",
        "-e",
        "secrets_delivery=file",
        "-e",
        "db_name=other",
    )
    assert ahead.returncode == 0, ahead.output[-3000:]
    assert stack.play("playbooks/status.yml", "-vvv").returncode == 0
    assert stack.play("playbooks/logs.yml", "-vvv").returncode == 0
    failed = stack.site(
        "-vvv",
        "-e",
        '{"api_environment": {"DB_POOL_WAIT_SECONDS": "x"}}',
        "-e",
        "stack_start_timeout_seconds=15",
    )
    assert failed.returncode != 0
    assert stack.site("-vvv").returncode == 0
    assert "verify_environment" in stack.said
    assert MARK not in stack.said
    # The same search finds what is printed on purpose.
    stack.project.write("playbooks/print.yml", PLAYBOOK)
    printed = Stack.play(
        stack, "playbooks/print.yml", ANSIBLE_VAULT_PASSWORD_FILE=str(stack.project.password_file)
    )
    assert MARK in printed.output


def test_the_api_works_as_a_role_that_cannot_drop_a_table(stack: Leaky) -> None:
    status, created = stack.ask("POST", "/tasks", {"title": "kept"})
    assert status == 201
    assert stack.ask("DELETE", f"/tasks/{created['task']['id']}")[0] == 200
    roles = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'tasks_api%'"
    shown = stack.exec("banco-dados", "psql", "-XAtU", "admin", "-d", "tasks_db", "-c", roles)
    assert shown.stdout.strip() == "tasks_app"
    dropped = stack.exec("api-web", "python", "-c", DROP)
    assert dropped.returncode == 1
    assert "must be owner of table tasks" in dropped.stderr


def test_what_the_apis_role_did_to_itself_is_put_right_by_the_next_run(stack: Leaky) -> None:
    before = stack.containers()
    harmed = stack.exec("api-web", "python", "-c", HARM)
    assert (harmed.returncode, harmed.stderr) == (0, "")
    with pytest.raises(HTTPError, match="503"):
        stack.request("GET", "/health")
    assert "changed=1" in stack.play("playbooks/start.yml").output
    assert stack.request("GET", "/health")[1]["database"] == "healthy"
    assert stack.containers() == before
    assert "changed=0" in stack.play("playbooks/start.yml").output


def test_redis_asks_for_a_password_and_the_api_has_it(stack: Leaky) -> None:
    assert stack.request("GET", "/health")[1]["cache"] == "healthy"
    assert "NOAUTH" in stack.exec("cache-redis", "redis-cli", "GET", "all_tasks").stdout
    script = "redis-cli --user tasks_api --askpass {} </run/secrets/cache_password"
    for command, answer in (
        ("PING", "PONG"),
        ("GET another", "NOPERM"),
        ("CONFIG GET save", "NOPERM"),
    ):
        assert answer in stack.exec("cache-redis", "sh", "-c", script.format(command)).stdout


def test_changed_secrets_take_effect_with_the_next_run(stack: Leaky) -> None:
    before = stack.containers()
    stack.project.write(VAULT, vault(2))
    done = stack.site("-vvv", "--diff")
    assert done.returncode == 0, done.output[-6000:].replace(MARK, "MARK")
    with pytest.raises(HTTPError, match="401"):
        stack.ask("DELETE", "/tasks/0")
    stack.generation = 2
    with pytest.raises(HTTPError, match="404"):
        stack.ask("DELETE", "/tasks/0")
    assert {name for name, started in stack.containers().items() if before[name] != started} == {
        *before
    }
    assert stack.request("GET", "/tasks")[1]["count"] == 3
    script = "import pathlib; print(pathlib.Path('/run/secrets/db_app_password').read_text())"
    assert f"{MARK}-db_app-2" in stack.exec("api-web", "python", "-c", script).stdout
    old = f"{MARK}-db-1{DIFFICULT}"
    login = (
        "docker",
        "exec",
        "--env",
        "PGPASSWORD",
        "swleak-banco-dados",
        "psql",
        "-h",
        "127.0.0.1",
    )
    refused = subprocess.run(
        [*login, "-U", "admin", "-d", "tasks_db", "-c", "SELECT 1"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PGPASSWORD": old}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "password authentication failed" in refused.stderr
    assert MARK not in stack.said
    unchanged = stack.containers()
    assert stack.site().returncode == 0
    assert stack.containers() == unchanged


def test_two_restarts_leave_roles_and_passwords_as_they_are(stack: Leaky) -> None:
    for _ in range(2):
        assert stack.compose("restart").returncode == 0
        assert stack.compose("up", "-d", "--wait").returncode == 0
        assert stack.request("GET", "/tasks")[1]["count"] == 3
    assert stack.watch.found == set()
