"""Cache-aside: hits, misses, what is stored, what a write removes, and the seed's log lines."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from msgspec.structs import fields
from redis import Redis
from tasks_api.tasks.models import Task

from tests.api.servers import MakeClient, Sql

MISS = "Cache MISS - Consultando banco de dados"
HIT = "Cache HIT - Retornando dados do Redis"


def sources(client: FlaskClient, *paths: str) -> list[str]:
    """Return where the answers to GET `paths` come from."""
    return [client.get(path).json["source"] for path in paths]


def test_second_get_comes_from_the_cache_and_differs_in_nothing_else(client: FlaskClient) -> None:
    for path in ("/tasks", "/tasks/1"):
        first, second = client.get(path), client.get(path)
        assert (first.json["source"], second.json["source"]) == ("database", "cache")
        assert first.data.replace(b"database", b"cache", 1) == second.data
        assert first.content_type == second.content_type == "application/json"


def test_values_are_plain_json_with_a_ttl(client: FlaskClient, redis: Redis) -> None:
    listed, one = client.get("/tasks").json, client.get("/tasks/1").json
    assert sorted(redis.keys()) == ["all_tasks", "task:1"]
    assert json.loads(redis.get("all_tasks") or "") == listed["tasks"]
    assert json.loads(redis.get("task:1") or "") == one["task"]
    for key in ("all_tasks", "task:1"):
        assert redis.type(key) == "string"
        assert 0 < redis.ttl(key) <= 60


def test_ttl_is_a_setting_and_an_expired_value_is_a_miss(
    make_client: MakeClient, redis: Redis
) -> None:
    client = make_client(cache_ttl_seconds=7)
    client.get("/tasks")
    assert 0 < redis.ttl("all_tasks") <= 7
    redis.pexpire("all_tasks", 0)
    assert sources(client, "/tasks", "/tasks") == ["database", "cache"]


def test_a_hit_asks_no_database(client: FlaskClient, sql: Sql) -> None:
    client.get("/tasks")
    client.get("/tasks/1")
    sql("DROP TABLE tasks")
    assert sources(client, "/tasks", "/tasks/1") == ["cache", "cache"]


def test_create_removes_the_list_alone(client: FlaskClient, redis: Redis) -> None:
    sources(client, "/tasks", "/tasks/1")
    client.post("/tasks", json={"title": "t"})
    assert redis.keys() == ["task:1"]
    assert client.get("/tasks").json["count"] == 4


def test_update_removes_the_list_and_the_task(client: FlaskClient, redis: Redis) -> None:
    sources(client, "/tasks", "/tasks/1", "/tasks/2")
    client.put("/tasks/1", json={"title": "changed"})
    assert redis.keys() == ["task:2"]
    assert client.get("/tasks/1").json["task"]["title"] == "changed"
    assert client.get("/tasks").json["tasks"][0]["title"] == "changed"


def test_delete_removes_the_list_and_the_task(client: FlaskClient, redis: Redis) -> None:
    sources(client, "/tasks", "/tasks/1", "/tasks/2")
    client.delete("/tasks/1")
    assert redis.keys() == ["task:2"]
    assert client.get("/tasks/1").status_code == 404
    assert client.get("/tasks").json["count"] == 2


def test_a_task_that_is_not_there_is_not_cached(
    client: FlaskClient, redis: Redis, sql: Sql
) -> None:
    assert client.get("/tasks/4").status_code == 404
    assert redis.keys() == []
    client.post("/tasks", json={"title": "t"})
    assert client.get("/tasks/4").status_code == 200


def test_a_refused_write_removes_nothing(client: FlaskClient, redis: Redis) -> None:
    sources(client, "/tasks", "/tasks/1")
    client.put("/tasks/1", json={"title": ""})
    client.post("/tasks", json={})
    assert sorted(redis.keys()) == ["all_tasks", "task:1"]


def test_clear(client: FlaskClient, redis: Redis) -> None:
    sources(client, "/tasks", "/tasks/1")
    response = client.post("/cache/clear")
    assert response.status_code == 200
    assert response.json == {"message": "Cache cleared successfully"}
    assert redis.keys() == []
    assert sources(client, "/tasks", "/tasks/1") == ["database", "database"]


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "null",
        "[",
        "{}",
        "[1]",
        '"text"',
        '{"source":"cache"}',
        '[{"id":1}]',
        '{"id":1}',
        "[" * 100_000,
        b"\xff\xfe",
        '[{ "id": 1, "title": "t", "description": "", "status": "", "created_at": "", '
        '"updated_at": ""}]',
    ],
    ids=lambda garbage: repr(garbage[:20]),
)
def test_a_value_that_is_not_ours_is_a_miss(
    client: FlaskClient, redis: Redis, garbage: str | bytes
) -> None:
    for key, path in (("all_tasks", "/tasks"), ("task:1", "/tasks/1")):
        redis.set(key, garbage)
        assert sources(client, path, path) == ["database", "cache"]


# A valid one, whatever members tasks have got.
TASK = {
    field.name: field.type.__metadata__[0].examples[0] if field.required else field.default
    for field in fields(Task)
}
TASK |= {"id": 1, "title": "t"}
TASK |= dict.fromkeys(("created_at", "updated_at"), "2026-01-31T12:00:00.5")


def compact(value: object) -> str:
    """JSON as PostgreSQL writes a row."""
    return json.dumps(value, separators=(",", ":"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "1"},
        {"id": 1.0},
        {"id": True},
        {"id": 0},
        {"id": 2**31},
        {"title": None},
        {"title": 5},
        {"description": []},
        {"status": "done"},
        {"created_at": "yesterday"},
        {"updated_at": 0},
        {"owner": "somebody"},
    ],
    ids=str,
)
def test_a_task_with_a_wrong_member_is_a_miss(
    client: FlaskClient, redis: Redis, wrong: dict[str, object]
) -> None:
    redis.set("all_tasks", compact([TASK | wrong]))
    redis.set("task:1", compact(TASK | wrong))
    assert sources(client, "/tasks", "/tasks/1") == ["database", "database"]
    assert sources(client, "/tasks", "/tasks/1") == ["cache", "cache"]


def test_a_task_of_another_key_and_form_is_a_miss(client: FlaskClient, redis: Redis) -> None:
    reversed_members = dict(reversed(TASK.items()))
    for stray in (TASK | {"id": 2}, TASK | {"id": 11}, [TASK], reversed_members):
        redis.set("task:1", compact(stray))
        assert sources(client, "/tasks/1", "/tasks/1") == ["database", "cache"]
    redis.set("task:1", json.dumps(TASK))
    assert sources(client, "/tasks/1", "/tasks/1") == ["database", "cache"]


def test_a_list_with_a_task_twice_or_in_another_order_is_a_miss(
    client: FlaskClient, redis: Redis
) -> None:
    newer = TASK | {"id": 2, "created_at": "2026-01-31T12:00:00.51"}
    for stray in ([TASK, TASK], [TASK, newer], TASK, [TASK | {"id": 2}, TASK, newer]):
        redis.set("all_tasks", compact(stray))
        assert sources(client, "/tasks", "/tasks") == ["database", "cache"]
    redis.set("all_tasks", compact([newer, TASK]))
    assert client.get("/tasks").json["source"] == "cache"


def test_all_that_the_table_may_hold_is_cached(client: FlaskClient, sql: Sql) -> None:
    """Also what no client could set, any more or ever."""
    sql("INSERT INTO tasks (title) VALUES (''), (repeat('\u200b', 255)), (E'\x01\t\"\\ \u2028')")
    sql("UPDATE tasks SET created_at = '2026-01-01', updated_at = '9999-12-31 23:59:59.1'")
    sources(client, "/tasks", *(f"/tasks/{number}" for number in range(1, 7)))
    assert set(sources(client, "/tasks", *(f"/tasks/{number}" for number in range(1, 7)))) == {
        "cache"
    }


def test_a_key_of_another_type_is_a_miss(client: FlaskClient, redis: Redis) -> None:
    redis.rpush("all_tasks", "x")
    assert sources(client, "/tasks", "/tasks") == ["database", "database"]
    assert client.post("/tasks", json={"title": "t"}).status_code == 201
    assert sources(client, "/tasks", "/tasks") == ["database", "cache"]


def test_a_changed_good_value_is_taken(client: FlaskClient, redis: Redis) -> None:
    client.get("/tasks")
    value = redis.get("all_tasks") or ""
    redis.set("all_tasks", value.replace("Create Flask API", "Something else"))
    response = client.get("/tasks").json
    assert (response["source"], response["tasks"][1]["title"]) == ("cache", "Something else")


def test_log_lines_of_the_seed(make_client: MakeClient, capfd: pytest.CaptureFixture[str]) -> None:
    client = make_client()
    sources(client, "/tasks", "/tasks", "/tasks/1", "/tasks/1")
    assert capfd.readouterr().out.splitlines() == [
        MISS,
        "Cache SET - Key: all_tasks - Expiration: 60s",
        HIT,
        "Cache GET - Key: all_tasks - FOUND",
        MISS,
        "Cache SET - Key: task:1 - Expiration: 60s",
        HIT,
        "Cache GET - Key: task:1 - FOUND",
    ]


def test_log_lines_are_info(make_client: MakeClient, capfd: pytest.CaptureFixture[str]) -> None:
    client = make_client(log_level="WARNING")
    sources(client, "/tasks", "/tasks")
    assert capfd.readouterr().out == ""
