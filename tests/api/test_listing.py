"""GET /tasks with a query: filters, words, pages, and the indexes that serve them."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from redis import Redis

from tests.api.servers import Sql

FILL = """
    INSERT INTO tasks (title, description, status, created_at)
    SELECT 'Task ' || n, CASE WHEN n % 100 = 0 THEN 'rare docker-compose.yml' ELSE 'common' END,
        (ARRAY['pending', 'in_progress', 'completed'])[n % 3 + 1],
        timestamp '2020-01-01' + n / 3 * interval '1 hour'
    FROM generate_series(1, {count}) n"""


def shown(client: FlaskClient, query: str) -> list[int]:
    """Return the ids on the page of a query."""
    response = client.get(f"/tasks?{query}")
    assert response.status_code == 200, response.json
    assert list(response.json) == ["source", "count", "tasks", "next_cursor"]
    assert response.json["source"] == "database"
    assert response.json["count"] == len(response.json["tasks"])
    return [task["id"] for task in response.json["tasks"]]


def test_by_status(client: FlaskClient) -> None:
    assert shown(client, "status=pending") == [3]
    assert shown(client, "status=completed") == [1]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("docker", [1]),
        ("DOCKER", [1]),
        ("dock", [1]),
        ("cach", [3]),
        ("redis cach", [3]),
        ("redi cache", []),
        ("caching implement", [3]),
        ("api crud", [2]),
        ("nothing", []),
        ("!!!", []),
        ("' | docker:*", [1]),
        ("a%b_c", []),
    ],
)
def test_by_words(client: FlaskClient, words: str, ids: list[int]) -> None:
    response = client.get("/tasks", query_string={"q": words})
    assert [task["id"] for task in response.json["tasks"]] == ids


def test_words_are_parted_by_punctuation(client: FlaskClient) -> None:
    client.post("/tasks", json={"title": "mend docker-compose.yml", "description": "ärger/straße"})
    assert shown(client, "q=compose") == [4]
    assert shown(client, "q=yml") == [4]
    assert shown(client, "q=straße") == [4]


def test_pages_show_every_task_once_in_order(client: FlaskClient, sql: Sql) -> None:
    sql(FILL.format(count=100))
    everything = [task["id"] for task in client.get("/tasks").json["tasks"]]
    paged: list[int] = []
    query: dict[str, object] = {"limit": 7}
    while True:
        page = client.get("/tasks", query_string=query).json
        paged += [task["id"] for task in page["tasks"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
        client.post("/tasks", json={"title": "created meanwhile"})
    assert paged == everything


def test_a_page_of_everything_has_no_next(client: FlaskClient) -> None:
    assert client.get("/tasks?limit=3").json["next_cursor"] is None
    assert client.get("/tasks?limit=2").json["next_cursor"]


def test_pages_are_fifty_long_unless_said(client: FlaskClient, sql: Sql) -> None:
    sql(FILL.format(count=100))
    assert client.get("/tasks?status=pending").json["count"] == 34
    assert client.get("/tasks?q=task").json["count"] == 50


def test_pages_are_not_cached(client: FlaskClient, redis: Redis) -> None:
    client.get("/tasks?limit=2")
    assert redis.keys() == []
    assert client.put("/tasks/3", json={"status": "completed"}).status_code == 200
    assert shown(client, "status=pending") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("status=", "status"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=1.5", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=%205", "limit"),
        ("limit=5%0A", "limit"),
        ("limit=0x10", "limit"),
        ("limit=%D9%A5", "limit"),  # an Arabic digit
        (f"limit={'9' * 5000}", "limit"),
        ("limit=true", "limit"),
        ("limit", "limit"),
        ("status=pending%00", "status"),
        ("q=%ff", "q"),
        ("q=%ED%A0%80", "q"),  # a surrogate
        ("q=a&q=a", "q"),
        ("LIMIT=5", "LIMIT"),
        ("%ff=5", "\ufffd"),
        ("=5", ""),
        ("q=", "q"),
        ("q=%00", "q"),
        (f"q={'x' * 201}", "q"),
        ("cursor=", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("cursor=1769860800123456", "cursor"),
        ("cursor=1769860800123456.0", "cursor"),
        ("cursor=1769860800123456.01", "cursor"),
        ("cursor=1769860800123456.1%0A", "cursor"),
        ("cursor=1769860800123456.1.1", "cursor"),
        ("cursor=1769860800123456,1", "cursor"),
        ("cursor=17698608001234567.1", "cursor"),
        ("cursor=%2B1769860800123456.1", "cursor"),
        ("cursor=2026-02-20T00:00:00.1", "cursor"),
        ("cursor=1769860800123456.99999999999", "cursor"),
        ("cursor=1769860800123456.1%00", "cursor"),
        ("cursor=1769860800123456.%D9%A1", "cursor"),  # an Arabic digit
        (f"cursor={'1' * 5000}.1", "cursor"),
        ("limits=5", "limits"),
        ("limit=5&limit=6", "limit"),
    ],
)
def test_wrong_queries_name_the_parameter(client: FlaskClient, query: str, field: str) -> None:
    response = client.get(f"/tasks?{query}")
    assert response.status_code == 422, response.json
    assert list(response.json["error"]["fields"]) == [field]


def test_a_query_says_what_is_wrong_with_it(client: FlaskClient) -> None:
    query = "limit=5&limit=6&q=%ff&status=done&limits=5"
    first = client.get(f"/tasks?{query}").json["error"]["fields"]
    assert first == {"limit": "Is given more than once.", "q": "Must be UTF-8."}
    second = client.get("/tasks?status=done&limits=5&cursor=x").json["error"]["fields"]
    assert second == {
        "limits": "Is not known here.",
        "status": "Must be one of pending, in_progress, completed.",
        "cursor": "Must be the next_cursor of the page before.",
    }


def test_a_query_of_too_many_parameters(client: FlaskClient) -> None:
    response = client.get(f"/tasks?{'&'.join(f'x{n}=' for n in range(101))}")
    assert response.status_code == 422
    assert response.json["error"]["message"] == "The query has more than 100 parameters."


@pytest.mark.parametrize("query", ["", "&", "&&"])
def test_a_query_of_nothing_is_none(client: FlaskClient, query: str) -> None:
    assert list(client.get(f"/tasks?{query}").json) == ["source", "count", "tasks"]


@pytest.mark.parametrize(
    ("cursor", "ids"),
    [
        ("9999999999999999.9999999999", [1, 2, 3]),
        ("0.1", []),
        ("-0.1", []),
        ("-9999999999999999.1", []),
    ],
)
def test_any_place_in_the_order_is_a_cursor(
    client: FlaskClient, cursor: str, ids: list[int]
) -> None:
    assert shown(client, f"cursor={cursor}") == ids


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("true", "tasks_newest_first"),
        ("(created_at, id) < (timestamp '2020-02-01', 5)", "tasks_newest_first"),
        ("status = 'pending'", "tasks_by_status"),
        (
            "tasks_words(title, description) @@ to_tsquery('simple', 'rare:*')",
            "tasks_by_word",
        ),
    ],
)
def test_an_index_serves_each_query(
    client: FlaskClient, sql: Sql, condition: str, index: str
) -> None:
    sql(FILL.format(count=20_000))
    sql("VACUUM ANALYZE tasks")
    plan = sql(
        f"EXPLAIN SELECT * FROM tasks WHERE {condition} ORDER BY created_at DESC, id DESC LIMIT 51"
    )
    assert any(index in str(line) for line in plan), plan
