"""Headers that make no sense are passed over or refused; they never break a request."""

from __future__ import annotations

import itertools

import pytest
from flask.testing import FlaskClient

from tests.api.servers import MakeClient

GARBAGE = ["", " ", ",", '"', '""', 'W/"', ";,;=", "a" * 5000, "\xff\xfe", '"' * 999, "%00", "null"]
READS = ["/", "/health", "/livez", "/tasks", "/tasks/1", "/tasks?limit=1", "/metrics"]


@pytest.mark.parametrize(
    "name",
    [
        *("Accept", "Accept-Charset", "Accept-Encoding", "Authorization", "Cookie", "Expect"),
        *("If-Modified-Since", "If-None-Match", "If-Range", "Origin", "Range"),
        *("X-Forwarded-For", "X-HTTP-Method-Override", "X-Request-ID", "Idempotency-Key"),
    ],
)
def test_reads_pass_over_headers_without_sense(make_client: MakeClient, name: str) -> None:
    client = make_client(cors_origins=("https://app.example.com",))
    for path, value in itertools.product(READS, GARBAGE):
        response = client.get(path, headers={name: value})
        assert response.status_code == 200, (path, value)
        assert "Content-Encoding" not in response.headers
        assert "Access-Control-Allow-Origin" not in response.headers


def test_a_version_without_sense_is_none(client: FlaskClient) -> None:
    for path, value in itertools.product(READS, GARBAGE):
        response = client.get(path, headers={"If-Match": value})
        assert response.status_code == (412 if "/tasks" in path else 200), (path, value)


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/openapi.json"])
@pytest.mark.parametrize("tags", ["*", '""', 'W/""'])
def test_what_has_no_version_is_never_unchanged(client: FlaskClient, path: str, tags: str) -> None:
    response = client.get(path, headers={"If-None-Match": tags})
    assert response.status_code == 200
    assert response.data


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_write_only_if_there_is_no_task(client: FlaskClient, method: str) -> None:
    headers = {"If-None-Match": "*"}
    response = client.open("/tasks/1", method=method, json={"title": "t"}, headers=headers)
    assert response.status_code == 412
    assert client.get("/tasks/1").json["task"]["title"] == "Setup Docker Environment"
    response = client.open("/tasks/9", method=method, json={"title": "t"}, headers=headers)
    assert response.status_code == 404


def test_what_was_written_is_never_not_modified(client: FlaskClient) -> None:
    client.put("/tasks/1", json={"title": "t"})
    for tags in ("*", client.get("/tasks/1").headers["ETag"]):
        response = client.post("/tasks", json={"title": "t"}, headers={"If-None-Match": tags})
        assert response.status_code == 201
        assert response.json["task"]["title"] == "t"


@pytest.mark.parametrize("origin", ["", "null", "https://app.example.com.evil", "\xff"])
def test_a_strangers_preflight_is_an_ordinary_request(make_client: MakeClient, origin: str) -> None:
    client = make_client(cors_origins=("https://app.example.com",))
    for wanted in ("", "BREW", "\xff", "GET, PUT", "x" * 5000):
        headers = {"Origin": origin, "Access-Control-Request-Method": wanted}
        response = client.options("/tasks", headers=headers)
        assert response.status_code == 200
        assert not [name for name, _ in response.headers if name.startswith("Access-Control-Allow")]


def test_a_method_is_what_the_request_line_says(client: FlaskClient) -> None:
    headers = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
    assert client.post("/tasks", json={"title": "t"}, headers=headers).status_code == 201
    assert client.get("/tasks").json["count"] == 4
