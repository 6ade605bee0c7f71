"""What every answer has, whoever gave it: the layer around Flask, with the fast path and without."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.servers import ApiProcess, MakeClient, Sql

PATHS = ["/tasks", "/tasks/1", "/tasks/9", "/tasks/abc", "/tasks?limit=1", "/nowhere", "/livez"]
JSON = {"Content-Type": "application/json"}
BROWSER = {"Origin": "https://app.example.com"}


def without_identity(response: TestResponse) -> tuple[int, dict[str, str], bytes]:
    """Return everything of an answer but its request id."""
    headers = dict(response.headers)
    del headers["X-Request-ID"]
    return response.status_code, headers, response.data


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accepted", ["identity", "gzip"])
def test_a_hit_is_answered_alike_with_the_fast_path_and_without(
    make_client: MakeClient, method: str, path: str, accepted: str
) -> None:
    origins = (BROWSER["Origin"],)
    ahead, flask = (make_client(fast_path=first, cors_origins=origins) for first in (True, False))
    headers = BROWSER | {"Accept-Encoding": accepted}
    for client in (ahead, flask):
        client.get(path)  # fill the cache
    answers = [client.open(path, method=method, headers=headers) for client in (ahead, flask)]
    assert without_identity(answers[0]) == without_identity(answers[1])
    again = [
        client.open(path, method=method, headers={"If-None-Match": "*"})
        for client in (ahead, flask)
    ]
    assert without_identity(again[0]) == without_identity(again[1])


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("PUT", "/tasks/1", JSON, b'{"status": "completed"}'),
        ("PUT", "/tasks/1", JSON, b'{"status": "gone"}'),
        ("PUT", "/tasks/1", JSON, b"{"),
        ("PUT", "/tasks/1", {"Content-Type": "text/plain"}, b'{"status": "completed"}'),
        ("PUT", "/tasks/1", JSON | {"If-Match": '"2000-01-01T00:00:00"'}, b'{"title": "x"}'),
        ("PUT", "/tasks/9", JSON, b'{"title": "x"}'),
        ("PUT", "/tasks/01", JSON, b'{"title": "x"}'),
        ("PUT", "/tasks/x", JSON, b'{"title": "x"}'),
        ("PUT", "/tasks", JSON, b'{"title": "x"}'),
        ("POST", "/tasks", JSON, b'{"title": "x", "owner": 1}'),
        ("POST", "/tasks", JSON | {"Idempotency-Key": "a b"}, b'{"title": "x"}'),
        ("POST", "/tasks/1", JSON, b'{"title": "x"}'),
        ("DELETE", "/tasks/2", {"If-None-Match": "*"}, b""),
        ("DELETE", "/tasks/99999999999", {}, b""),
        ("DELETE", "/tasks/1/", {}, b""),
    ],
)
def test_a_write_is_answered_alike_with_the_fast_path_and_without(
    make_client: MakeClient, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    found = []
    for first in (True, False):
        client = make_client(fast_path=first)
        response = client.open(path, method=method, headers=headers, data=body)
        status, sent, text = without_identity(response)
        shown = re.sub(rb'"updated_at":"[^"]+"', b"", text)
        if status == 200:  # the second change is of another moment
            del sent["ETag"], sent["Content-Length"]
        found.append((status, sent, shown))
    assert found[0] == found[1]


def test_request_id_of_the_client_comes_back(client: FlaskClient) -> None:
    for path in ("/tasks", "/tasks", "/nowhere"):
        response = client.get(path, headers={"X-Request-ID": "abc-123"})
        assert response.headers["X-Request-ID"] == "abc-123"


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "é", '"quoted"'])
def test_request_id_is_new_where_none_is_usable(client: FlaskClient, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    ids = {client.get("/livez", headers=headers).headers["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f-]+", one) for one in ids)


@pytest.mark.parametrize(
    "accepted",
    [
        "gzip",
        "br;q=1, GZIP;q=0.5",
        "*",
        "*;q=0, gzip",
        "gzip;q=0.001, *;q=0",
        "identity;q=0, *;q=1",
    ],
)
def test_a_long_list_is_compressed(client: FlaskClient, sql: Sql, accepted: str) -> None:
    sql("INSERT INTO tasks (title) SELECT 'Task ' || n FROM generate_series(1, 50) n RETURNING id")
    plain = client.get("/tasks")
    assert plain.headers["Vary"] == "Accept-Encoding"
    for _ in range(2):
        packed = client.get("/tasks", headers={"Accept-Encoding": accepted})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert len(packed.data) < len(plain.data) / 4
        assert gzip.decompress(packed.data) == client.get("/tasks").data


@pytest.mark.parametrize(
    "accepted",
    [
        *("", "identity", "br", "gzip;q=0", "gzip; q=0.000, *", "*;q=0", "*;q=0.0, br", "*;Q=0"),
        *("gzip, gzip;q=0", "br, *; q=0", "gzip;q=2", "gzip;q=x", "xgzip", "gzip br"),
    ],
)
def test_who_does_not_take_gzip_gets_none(client: FlaskClient, accepted: str) -> None:
    response = client.get("/openapi.json", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers


def test_short_answers_and_exact_tags_stay_plain(client: FlaskClient) -> None:
    client.put("/tasks/1", json={"description": "x" * 5000})
    for path in ("/livez", "/tasks/1"):
        response = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in response.headers


def test_cors_is_off_by_default(client: FlaskClient) -> None:
    response = client.get("/tasks", headers=BROWSER)
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
    asked = {**BROWSER, "Access-Control-Request-Method": "PUT"}
    assert "Access-Control-Allow-Origin" not in client.options("/tasks/1", headers=asked).headers


def test_cors_for_a_named_origin(make_client: MakeClient) -> None:
    client = make_client(cors_origins=(BROWSER["Origin"],))
    for path in ("/tasks", "/tasks", "/tasks/9"):
        response = client.get(path, headers=BROWSER)
        assert response.headers["Access-Control-Allow-Origin"] == BROWSER["Origin"]
        assert "ETag" in response.headers["Access-Control-Expose-Headers"]
        assert response.headers["Vary"] == "Origin"
    asked = {**BROWSER, "Access-Control-Request-Method": "PUT"}
    allowed = client.options("/tasks/1", headers=asked)
    assert (allowed.status_code, allowed.data) == (204, b"")
    assert "PUT" in allowed.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in allowed.headers["Access-Control-Allow-Headers"]
    unnamed = client.get("/tasks", headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in unnamed.headers


def test_cors_for_everybody(make_client: MakeClient) -> None:
    client = make_client(cors_origins=("*",))
    assert client.get("/tasks", headers=BROWSER).headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in client.get("/tasks").headers


def test_json_logs(make_client: MakeClient, capfd: pytest.CaptureFixture[str]) -> None:
    client = make_client(log_format="json")
    client.get("/tasks/1", headers={"X-Request-ID": "mine"})
    client.get("/tasks/%ED%A0%80", headers={"X-Request-ID": "mine"})
    client.get("/livez", headers={"X-Request-ID": "mine"})  # asked all the time: not at INFO
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["message"] for line in lines] == [
        "Cache MISS - Consultando banco de dados",
        "Cache SET - Key: task:1 - Expiration: 60s",
        "request",
        "request",
    ]
    assert {line["request_id"] for line in lines} == {"mine"}
    assert {line["level"] for line in lines} == {"INFO"}
    asked = lines[2]
    assert (asked["method"], asked["path"], asked["status"]) == ("GET", "/tasks/1", 200)
    assert asked["milliseconds"] > 0


def test_json_logs_of_an_unexpected_error(
    make_client: MakeClient, sql: Sql, capfd: pytest.CaptureFixture[str]
) -> None:
    sql("ALTER TABLE tasks ADD CONSTRAINT surprise CHECK (title <> 'x')")
    make_client(log_format="json").post("/tasks", json={"title": "x"})
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    [error] = [line for line in lines if line["level"] == "ERROR"]
    assert "surprise" in error["exception"]


def counted(api: ApiProcess, name: str) -> float:
    """Return the sum of a metric over its labels."""
    _, body = api.request("GET", "/metrics")
    values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", body.decode(), re.MULTILINE)
    return sum(map(float, values))


def test_metrics_add_up_over_the_workers(
    api: ApiProcess, api_environment: dict[str, str], tmp_path: Path
) -> None:
    api.start(**api_environment, API_WORKERS="2")
    for _ in range(40):  # on new connections, which the kernel spreads over the workers
        api.request("GET", "/tasks")
    listed = r'http_requests_total{code="200",method="GET",route="/tasks"}'
    assert counted(api, re.escape(listed)) == 40
    assert counted(api, "cache_hits_total") + counted(api, "cache_misses_total") == 40
    assert counted(api, "cache_misses_total") >= 1
    assert counted(api, "cache_available") == 1
    assert counted(api, "db_connections_in_use") == 0
    assert counted(api, "db_connection_wait_seconds_count") >= 1
    assert counted(api, "http_request_duration_seconds_count") >= 40
    api.request("GET", "/no/such/path")
    assert 'route="none"' in api.request("GET", "/metrics")[1].decode()
    assert "/no/such" not in api.request("GET", "/metrics")[1].decode()
