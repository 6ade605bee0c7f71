"""A running environment: it works, it holds exact values, it is closed, and a second start does nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from stackwright.runtimes.embedded import commands

from tests.embedded.conftest import GREETING, PASSWORD, SECRETS
from tests.embedded.stacks import Stack, listeners, lives

SECRET = PASSWORD.strip().encode()


def test_all_services_are_healthy(stack: Stack) -> None:
    rows = stack.rows()
    assert list(rows) == ["banco-dados", "cache-redis", "api-web"]
    assert {row.health for row in rows.values()} == {"healthy"}
    assert {row.state for row in rows.values()} == {"RUNNING"}
    assert rows["banco-dados"].version.startswith("16.")
    assert int(rows["cache-redis"].version.partition(".")[0]) >= 7
    assert rows["api-web"].version
    answer = {"api": "healthy", "cache": "healthy", "database": "healthy"}
    assert stack.request("GET", "/health") == (200, answer)


def test_the_api_is_started_when_its_database_and_role_are_there(stack: Stack) -> None:
    assert "database system is ready to accept connections" in stack.first_log
    said = [
        line for line in stack.first_log.splitlines() if "starting up" not in line
    ]  # to our own probe
    assert "FATAL" not in "\n".join(said)


def test_the_seed_tasks_come_through_the_api_and_through_sql(stack: Stack) -> None:
    titles = ["Setup Docker Environment", "Create Flask API", "Implement Redis Cache"]
    stack.redis("FLUSHDB")
    status, body = stack.request("GET", "/tasks")
    assert (status, body["source"]) == (200, "database")
    assert [task["title"] for task in body["tasks"]][-3:] == titles
    assert stack.request("GET", "/tasks")[1]["source"] == "cache"
    assert "Setup Docker Environment" in stack.redis("GET", "all_tasks")
    assert stack.sql("SELECT title FROM tasks WHERE id <= 3 ORDER BY id").splitlines() == titles


def test_text_of_any_kind_survives(stack: Stack) -> None:
    title = "ação \"x\" 'y' %s $HOME \\ 🎉 مرحبا"
    status, body = stack.request("POST", "/tasks", {"title": title})
    assert status == 201
    assert stack.sql(f"SELECT title FROM tasks WHERE id = {body['task']['id']}") == title
    assert stack.request("DELETE", f"/tasks/{body['task']['id']}")[0] == 200


def test_values_reach_the_api_byte_for_byte(stack: Stack) -> None:
    environment = Path(f"/proc/{stack.pids()['api-web']}/environ").read_bytes().split(b"\0")
    assert f"GREETING={GREETING}".encode() in environment
    for name, secret in (("DB_PASSWORD", "db_app_password"), ("REDIS_PASSWORD", "cache_password")):
        path = f"{stack.output}/secrets/embedded/api-web/{secret}"
        assert f"{name}_FILE={path}".encode() in environment
        assert Path(path).read_text(encoding="utf-8") == SECRETS[secret]


def test_the_password_is_in_no_argument_and_no_environment(stack: Stack) -> None:
    pids = stack.all_pids()
    assert len(pids) > 6  # supervisord, three programs, and the children of two
    for pid in pids:
        for file in ("cmdline", "environ"):
            content = Path(f"/proc/{pid}/{file}").read_bytes()
            assert SECRET not in content, f"{pid} {file}"


def test_the_password_is_in_no_log_and_no_readable_file(stack: Stack) -> None:
    for path in stack.folder.root.rglob("*"):
        if path.is_file() and "postgres" not in path.parts and SECRET in path.read_bytes():
            assert path.stat().st_mode & 0o077 == 0, path
    for log in (stack.folder.root / "logs").iterdir():
        assert SECRET not in log.read_bytes(), log


def test_a_wrong_password_does_not_get_in(stack: Stack) -> None:
    command, environment = commands.sql(str(stack.output))
    wrong = {**environment, "PGPASSWORD": PASSWORD.strip()}
    done = subprocess.run(
        [*command, "SELECT 1"], env=wrong, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr


def test_only_loopback_is_listened_on(stack: Stack) -> None:
    ports = {stack.port, stack.port + 10000, stack.port + 20000}
    assert listeners(ports) == {port: {"127.0.0.1"} for port in ports}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_no_program_runs_as_root(stack: Stack) -> None:
    for pid in filter(lives, stack.all_pids()[1:]):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert "0" not in status["Uid"].split(), pid
        assert "0" not in status["Gid"].split(), pid
        assert not status["Groups"].strip(), pid
        assert int(status["CapEff"], 16) == 0, pid


def test_data_folder_is_closed_and_checksummed(stack: Stack) -> None:
    data = stack.folder.data / "postgres"
    assert data.stat().st_mode & 0o777 == 0o700
    assert stack.sql("SHOW data_checksums") == "on"
    assert stack.sql("SHOW server_encoding") == "UTF8"
    assert stack.sql("SELECT lower('ÁÉ🎉')") == "áé🎉"
    assert (
        stack.sql("SELECT rolpassword ~ '^SCRAM-SHA-256' FROM pg_authid WHERE rolname = 'admin'")
        == "t"
    )
    assert not (stack.folder.data / "postgres.new").exists()


def test_redis_keeps_nothing_on_disk(stack: Stack) -> None:
    argv = Path(f"/proc/{stack.pids()['cache-redis']}/cmdline").read_bytes()
    server = argv.decode().rstrip("\0").split("\0")
    if "--save" in server:  # the Redis of some systems replaces its command line by a title
        assert server[server.index("--save") + 1] == ""
    state = dict(line.split(":", 1) for line in stack.redis("INFO").splitlines() if ":" in line)
    assert (state["aof_enabled"], state["rdb_saves"]) == ("0", "0")
    assert state["maxmemory_policy"] == "allkeys-lru"
    assert 0 < int(state["maxmemory"]) < 128 * 1024**2


def as_role(stack: Stack, role: str, password: str) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(
        host="127.0.0.1", port=stack.port + 10000, user=role, password=password, dbname="tasks_db"
    )
    connection.autocommit = True
    return connection


def test_the_api_works_as_a_role_that_cannot_drop_its_table(stack: Stack) -> None:
    assert stack.sql(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'tasks_api%'"
    ) == ("tasks_app")
    connection = as_role(stack, "tasks_app", SECRETS["db_app_password"])
    try:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            connection.cursor().execute("DROP TABLE tasks")
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["backup", "monitor"])
def test_the_other_roles_get_in_with_their_passwords(stack: Stack, kind: str) -> None:
    as_role(stack, f"tasks_{kind}", SECRETS[f"db_{kind}_password"]).close()


def test_redis_knows_nobody_without_a_password(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.port + 20000), 5) as connection:
        connection.sendall(b"GET all_tasks\r\n")
        assert connection.makefile("rb").readline().startswith(b"-NOAUTH")
    assert "NOPERM" in stack.redis("GET", "another")


def test_postgresql_has_the_options_derived_from_its_memory(stack: Stack) -> None:
    assert stack.sql("SHOW shared_buffers") == "128MB"
    assert stack.sql("SHOW maintenance_work_mem") == "16MB"


def test_supervisorctl_works_by_itself(stack: Stack) -> None:
    command = [
        sys.executable,
        "-m",
        "supervisor.supervisorctl",
        "-c",
        str(stack.folder.config),
        "status",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["api-web", "RUNNING"],
        ["banco-dados", "RUNNING"],
        ["cache-redis", "RUNNING"],
    ]


def test_second_start_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    before = stack.all_pids()
    result = stack.module("started", tmp_path)
    assert (result["changed"], result["started"], result["restarted"]) == (False, [], [])
    assert stack.all_pids() == before
    assert not stack.module("started", tmp_path, "--check")["changed"]


def test_module_shows_status_and_logs(stack: Stack, tmp_path: Path) -> None:
    rows = stack.module("status", tmp_path)["services"]
    assert [(row["service"], row["health"]) for row in rows] == [
        ("banco-dados", "healthy"),
        ("cache-redis", "healthy"),
        ("api-web", "healthy"),
    ]
    stack.redis("FLUSHDB")
    stack.request("GET", "/tasks")
    logs = stack.module("logs", tmp_path)["logs"]
    assert logs["api-web"][-1] == "Cache SET - Key: all_tasks - Expiration: 60s"
    assert any("ready to accept connections" in line for line in logs["banco-dados"])
