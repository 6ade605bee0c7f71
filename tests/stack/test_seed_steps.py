"""The seed document, step by step, typed in the rendered folder of the environment dev."""

from __future__ import annotations

import json
import re

import pytest

from tests.stack.conftest import Stack, run

pytestmark = pytest.mark.docker

README_TASK = {
    "title": "Escrever README",
    "description": "Documentar o projeto completo",
    "status": "in_progress",
}
HIT = "Cache HIT - Retornando dados do Redis"
MISS = "Cache MISS - Consultando banco de dados"
SET = "Cache SET - Key: all_tasks - Expiration: 60s"
FOUND = "Cache GET - Key: all_tasks - FOUND"


def test_step_1_up_in_the_folder_ends_with_a_healthy_stack(seed_stack: Stack) -> None:
    # A builder whose cache was pruned makes a new image of the same tag, and Compose then recreates the container.
    done = seed_stack.compose("up", "--build", "-d", "--wait")
    assert done.returncode == 0, done.stderr
    assert len(seed_stack.containers()) == 3


def test_step_2_ps_shows_three_healthy_services(seed_stack: Stack) -> None:
    lines = seed_stack.compose("ps").stdout.splitlines()
    assert len(lines) == 4
    for service, port in (
        ("api-web", f"0.0.0.0:{seed_stack.port}->5000/tcp"),
        ("banco-dados", "5432/tcp"),
        ("cache-redis", "6379/tcp"),
    ):
        line = next(line for line in lines if line.startswith(f"{seed_stack.prefix}{service} "))
        assert "(healthy)" in line
        assert line.endswith(port)


def test_step_3_logs(seed_stack: Stack) -> None:
    assert "api-web" in seed_stack.compose("logs", "--tail=50").stdout
    seed_stack.request("GET", "/tasks")
    assert "Cache" in run("docker", "logs", f"{seed_stack.prefix}api-web").stdout


def test_step_4_health(seed_stack: Stack) -> None:
    expected = {"api": "healthy", "cache": "healthy", "database": "healthy"}
    assert seed_stack.request("GET", "/health") == (200, expected)


def test_step_5_tasks_come_from_the_database_and_then_from_the_cache(seed_stack: Stack) -> None:
    seed_stack.request("POST", "/cache/clear")
    _, first = seed_stack.request("GET", "/tasks")
    _, second = seed_stack.request("GET", "/tasks")
    assert (first["source"], second["source"]) == ("database", "cache")
    assert first["count"] == 3
    assert first["tasks"] == second["tasks"]
    assert first["tasks"][0]["title"] == "Setup Docker Environment"
    assert list(first) == ["source", "count", "tasks"]
    _, one = seed_stack.request("GET", "/tasks/1")
    assert one["task"] == first["tasks"][0]


def test_step_5_create_update_and_delete(seed_stack: Stack) -> None:
    status, created = seed_stack.request("POST", "/tasks", README_TASK)
    assert (status, created["message"]) == (201, "Task created successfully")
    task = created["task"]
    assert {name: task[name] for name in README_TASK} == README_TASK
    path = f"/tasks/{task['id']}"
    status, updated = seed_stack.request("PUT", path, {"status": "completed"})
    assert (status, updated["message"]) == (200, "Task updated successfully")
    assert updated["task"]["status"] == "completed"
    assert updated["task"]["updated_at"] > task["updated_at"]
    status, deleted = seed_stack.request("DELETE", path)
    assert (status, deleted["message"]) == (200, "Task deleted successfully")


def test_step_6_and_7_cache_statistics_and_clearing(seed_stack: Stack) -> None:
    _, statistics = seed_stack.request("GET", "/cache/stats")
    assert list(statistics) == [
        "connected_clients",
        "used_memory_human",
        "total_commands_processed",
        "keyspace_hits",
        "keyspace_misses",
    ]
    seed_stack.request("GET", "/tasks")
    assert seed_stack.request("POST", "/cache/clear")[0] == 200
    assert seed_stack.exec("cache-redis", "redis-cli", "DBSIZE").stdout.strip() == "0"


def test_step_8_psql_and_redis_cli(seed_stack: Stack) -> None:
    rows = seed_stack.exec(
        "banco-dados", "psql", "-U", "admin", "-d", "tasks_db", "-c", "SELECT * FROM tasks;"
    ).stdout
    assert "Setup Docker Environment" in rows
    assert "(3 rows)" in rows
    _, answer = seed_stack.request("GET", "/tasks")
    assert "all_tasks" in seed_stack.exec("cache-redis", "redis-cli", "KEYS", "*").stdout.split()
    cached = seed_stack.exec("cache-redis", "redis-cli", "GET", "all_tasks").stdout
    assert json.loads(cached) == answer["tasks"]


def test_step_9_network(seed_stack: Stack) -> None:
    name = "desafio3-network" if not seed_stack.prefix else "swtest-network"
    members = json.loads(run("docker", "network", "inspect", name).stdout)[0]["Containers"]
    assert len(members) == 3


def test_the_cache_demonstration_logs_what_the_seed_shows(seed_stack: Stack) -> None:
    seed_stack.request("POST", "/cache/clear")
    for _ in range(3):
        seed_stack.request("GET", "/tasks")
    logged = run("docker", "logs", f"{seed_stack.prefix}api-web", "--tail=20").stdout
    lines = [line for line in logged.splitlines() if line in (HIT, MISS, SET, FOUND)]
    assert lines[-6:] == [MISS, SET, HIT, FOUND, HIT, FOUND]


def test_every_variable_of_the_seed_is_set(seed_stack: Stack) -> None:
    api = dict(line.split("=", 1) for line in seed_stack.exec("api-web", "env").stdout.splitlines())
    database = dict(
        line.split("=", 1) for line in seed_stack.exec("banco-dados", "env").stdout.splitlines()
    )
    expected = {
        "DB_HOST": "banco-dados",
        "DB_NAME": "tasks_db",
        "DB_USER": "admin",
        "DB_PASSWORD": "admin123",
        "DB_PORT": "5432",
        "REDIS_HOST": "cache-redis",
        "REDIS_PORT": "6379",
    }
    assert {name: api.get(name) for name in expected} == expected
    assert database["POSTGRES_DB"] == "tasks_db"
    assert database["POSTGRES_USER"] == "admin"
    assert database["POSTGRES_PASSWORD"] == "admin123"


def test_troubleshooting_commands(seed_stack: Stack) -> None:
    assert "1 packets transmitted, 1 received" in (
        seed_stack.exec("api-web", "ping", "-c", "1", "banco-dados").stdout
    )
    accepting = seed_stack.exec("banco-dados", "pg_isready", "-U", "admin").stdout
    assert "accepting connections" in accepting
    assert seed_stack.exec("cache-redis", "redis-cli", "ping").stdout.strip() == "PONG"


def test_the_api_image_runs_unprivileged_and_carries_no_tools(seed_stack: Stack) -> None:
    assert seed_stack.exec("api-web", "id", "-u").stdout.strip() == "10001"
    assert seed_stack.exec("api-web", "sh", "-c", "command -v gcc cc make").returncode != 0
    assert seed_stack.exec("api-web", "touch", "/opt/venv/x").returncode != 0


def test_another_host_port_by_one_setting(seed_stack: Stack) -> None:
    done = seed_stack.play(
        "playbooks/render.yml",
        "-e",
        "api_port=5001",
        "-e",
        "stack_runtime=compose",
        "--check",
        "--diff",
    )
    assert re.search(r'\+ +- "0\.0\.0\.0:5001:5000"', done.output)


def test_step_10_down_keeps_the_data_and_down_v_does_not(seed_stack: Stack) -> None:
    _, created = seed_stack.request("POST", "/tasks", {"title": "kept"})
    assert seed_stack.compose("down").returncode == 0
    assert seed_stack.compose("up", "-d", "--wait").returncode == 0
    titles = [task["title"] for task in seed_stack.request("GET", "/tasks")[1]["tasks"]]
    assert created["task"]["title"] in titles

    assert seed_stack.compose("down", "-v").returncode == 0
    assert seed_stack.compose("build", "--no-cache").returncode == 0
    assert seed_stack.compose("up", "-d", "--wait").returncode == 0
    assert seed_stack.request("GET", "/tasks")[1]["count"] == 3
