"""The API contract: what a well-behaved client sends and gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from tasks_api.tasks.models import NAMES

from tests.api.servers import MakeClient, Sql

FIELDS = list(NAMES)
SEED = [
    (1, "Setup Docker Environment", "Configure all containers and networks", "completed"),
    (2, "Create Flask API", "Develop REST API with CRUD operations", "in_progress"),
    (3, "Implement Redis Cache", "Add caching layer for better performance", "pending"),
]
VERBATIM = [
    "'; DROP TABLE tasks; --",
    "%s %(id)s {0} \\ \" ' $1",
    "日本語 🧑‍🚀 \U0001d4b3 İı ß",
    "مرحبا \u202e\u05e2\u05d5\u05dc\u05dd",
    'nested {"id":99} [{"id":1}]',
    "tab\tnew\nline \u0001 \u007f \u2028 \ufeff \U0010ffff",
    "  kept space  ",
]


def facts(task: Mapping[str, object]) -> tuple[object, ...]:
    """Return what a task says, without its times."""
    return task["id"], task["title"], task["description"], task["status"]


def test_index_names_the_api_and_every_endpoint(make_client: MakeClient) -> None:
    response = make_client(environment="staging").get("/")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert list(response.json) == ["name", "version", "environment", "endpoints"]
    assert response.json["environment"] == "staging"
    assert sorted(response.json["endpoints"]) == sorted(
        [
            "GET /",
            "GET /health",
            "GET /livez",
            "GET /tasks",
            "GET /tasks/:id",
            "POST /tasks",
            "PUT /tasks/:id",
            "DELETE /tasks/:id",
            "GET /cache/stats",
            "POST /cache/clear",
            "GET /metrics",
            "GET /openapi.json",
        ]
    )
    assert all(response.json["endpoints"].values())


def test_health_names_the_three_parts(client: FlaskClient) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert list(response.json.items()) == [
        ("api", "healthy"),
        ("cache", "healthy"),
        ("database", "healthy"),
    ]


def test_livez(client: FlaskClient) -> None:
    response = client.get("/livez")
    assert (response.status_code, response.json) == (200, {"status": "alive"})


def test_list_shows_the_seed(client: FlaskClient) -> None:
    response = client.get("/tasks")
    assert response.status_code == 200
    assert list(response.json) == ["source", "count", "tasks"]
    assert response.json["source"] == "database"
    assert response.json["count"] == 3
    assert [facts(task) for task in response.json["tasks"]] == SEED
    assert [list(task) for task in response.json["tasks"]] == [FIELDS] * 3


def test_list_is_ordered_by_creation_before_id(client: FlaskClient, sql: Sql) -> None:
    sql("UPDATE tasks SET created_at = '2020-01-01'")
    sql("UPDATE tasks SET created_at = '2020-01-02' WHERE id = 1")
    assert [task["id"] for task in client.get("/tasks").json["tasks"]] == [1, 3, 2]


def test_a_field_of_the_table_that_is_no_field_of_a_task_stays_inside(
    client: FlaskClient, sql: Sql
) -> None:
    sql("ALTER TABLE tasks ADD COLUMN internal text DEFAULT 'x'")
    created = client.post("/tasks", json={"title": "t"}).json["task"]
    assert list(created) == FIELDS
    assert [list(task) for task in client.get("/tasks").json["tasks"]] == [FIELDS] * 4


def test_empty_list_is_a_hit_like_any_other(client: FlaskClient, sql: Sql) -> None:
    sql("DELETE FROM tasks")
    assert client.get("/tasks").json == {"source": "database", "count": 0, "tasks": []}
    assert client.get("/tasks").json == {"source": "cache", "count": 0, "tasks": []}


def test_one_task(client: FlaskClient) -> None:
    response = client.get("/tasks/1")
    assert response.status_code == 200
    assert list(response.json) == ["source", "task"]
    assert list(response.json["task"]) == FIELDS
    assert facts(response.json["task"]) == SEED[0]


def test_create_as_the_seed_shows(client: FlaskClient) -> None:
    body = {
        "title": "Escrever README",
        "description": "Documentar o projeto completo",
        "status": "in_progress",
    }
    response = client.post("/tasks", json=body)
    assert response.status_code == 201
    assert list(response.json) == ["message", "task"]
    assert response.json["message"] == "Task created successfully"
    assert list(response.json["task"]) == FIELDS
    assert facts(response.json["task"]) == (4, *body.values())
    assert response.headers["Location"] == "/tasks/4"
    assert client.get("/tasks/4").json["task"] == response.json["task"]


def test_a_new_task_comes_first(client: FlaskClient) -> None:
    client.post("/tasks", json={"title": "t"})
    assert [task["id"] for task in client.get("/tasks").json["tasks"]] == [4, 1, 2, 3]


def test_create_fills_in_what_is_optional(client: FlaskClient) -> None:
    task = client.post("/tasks", json={"title": "t"}).json["task"]
    assert facts(task) == (4, "t", "", "pending")
    assert task["created_at"] == task["updated_at"]


def test_times_are_iso_8601_in_utc(client: FlaskClient) -> None:
    created = client.post("/tasks", json={"title": "t"}).json["task"]["created_at"]
    age = datetime.now(UTC) - datetime.fromisoformat(created).replace(tzinfo=UTC)
    assert created[10] == "T"
    assert abs(age) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "change", [{"title": "new"}, {"description": ""}, {"status": "pending"}], ids=str
)
def test_update_changes_only_what_is_given(client: FlaskClient, change: dict[str, str]) -> None:
    before = client.get("/tasks/1").json["task"]
    response = client.put("/tasks/1", json=change)
    after = response.json["task"]
    assert response.status_code == 200
    assert list(response.json) == ["message", "task"]
    assert response.json["message"] == "Task updated successfully"
    assert after == before | change | {"updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    assert client.get("/tasks/1").json["task"] == after


def test_updated_at_moves_even_if_the_clock_went_back(client: FlaskClient, sql: Sql) -> None:
    sql("UPDATE tasks SET updated_at = '2099-01-01T00:00:00' WHERE id = 1")
    task = client.put("/tasks/1", json={"status": "pending"}).json["task"]
    assert task["updated_at"] == "2099-01-01T00:00:00.000001"


def test_delete_returns_the_task_and_then_404(client: FlaskClient) -> None:
    response = client.delete("/tasks/2")
    assert response.status_code == 200
    assert list(response.json) == ["message", "task"]
    assert response.json["message"] == "Task deleted successfully"
    assert facts(response.json["task"]) == SEED[1]
    assert client.delete("/tasks/2").status_code == 404
    assert client.get("/tasks/2").status_code == 404
    assert client.put("/tasks/2", json={"status": "pending"}).status_code == 404
    assert [task["id"] for task in client.get("/tasks").json["tasks"]] == [1, 3]


@pytest.mark.parametrize("text", VERBATIM)
def test_any_text_comes_back_as_it_went_in(client: FlaskClient, sql: Sql, text: str) -> None:
    created = client.post("/tasks", json={"title": text, "description": text}).json["task"]
    assert (created["title"], created["description"]) == (text, text)
    assert sql("SELECT title, description FROM tasks WHERE id = 4") == [(text, text)]
    for source in ("database", "cache"):
        listed, one = client.get("/tasks").json, client.get("/tasks/4").json
        assert (listed["source"], listed["count"]) == (source, 4)
        assert listed["tasks"][0] == one["task"] == created
    assert client.put("/tasks/4", json={"title": text}).json["task"]["title"] == text


def test_text_beyond_ascii_is_not_escaped(client: FlaskClient) -> None:
    response = client.post("/tasks", json={"title": "Olá 🧑‍🚀"})
    assert '"title":"Olá 🧑‍🚀"' in response.text
    assert '"title":"Olá 🧑‍🚀"' in client.get("/tasks").text


def test_longest_title_is_counted_in_characters(client: FlaskClient) -> None:
    assert client.post("/tasks", json={"title": "🧑" * 255}).status_code == 201


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=UTF-8", "Application/JSON"]
)
def test_json_content_types(client: FlaskClient, content_type: str) -> None:
    response = client.post("/tasks", data=b'{"title": "t"}', content_type=content_type)
    assert response.status_code == 201


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/tasks", "/tasks/1", "/cache/stats"])
def test_head_is_get_without_a_body(client: FlaskClient, path: str) -> None:
    response = client.head(path)
    assert (response.status_code, response.data) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


def test_cache_statistics(client: FlaskClient) -> None:
    client.get("/tasks")
    client.get("/tasks")
    response = client.get("/cache/stats")
    assert response.status_code == 200
    assert list(response.json) == [
        "connected_clients",
        "used_memory_human",
        "total_commands_processed",
        "keyspace_hits",
        "keyspace_misses",
    ]
    assert response.json["connected_clients"] >= 1
    assert response.json["used_memory_human"].endswith(("K", "M"))
    assert response.json["keyspace_hits"] >= 1


def test_every_body_is_one_line_of_json(client: FlaskClient) -> None:
    for path in ("/", "/health", "/tasks", "/tasks/1", "/nowhere"):
        body = client.get(path).text
        assert body.endswith("\n")
        assert body.count("\n") == 1
        json.loads(body)
