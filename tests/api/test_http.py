"""HTTP as it goes over the wire, which no client library would send: raw sockets to the real server."""

from __future__ import annotations

import json
import socket

import pytest

from tests.api.servers import ApiProcess, Sql, wait_for

HOST = "Host: api\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
BODY = '{"title": "sent in chunks"}'
WHOLE = f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n"
COUNT = "SELECT count(*) FROM tasks"


@pytest.fixture(params=[False, True], ids=["direct", "proxied"])
def proxied(request: pytest.FixtureRequest) -> bool:
    """Whether requests come from a proxy that the API trusts."""
    return bool(request.param)


@pytest.fixture
def server(api: ApiProcess, api_environment: dict[str, str]) -> ApiProcess:
    """The API, started."""
    api.start(**api_environment, API_WORKERS="1")
    return api


def send(api: ApiProcess, text: str, *, ends: bool = False) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of the answer to these bytes; 0 if the connection was only closed."""
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        connection.sendall(text.encode("latin-1"))
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    named = dict(header.lower().split(": ", 1) for header in headers)
    return int(line.split(" ")[1]) if line else 0, named, body


def head(line: str = "GET /livez HTTP/1.1", headers: str = HOST) -> str:
    """A request without a body, after which the connection ends."""
    return f"{line}\r\n{headers}Connection: close\r\n\r\n"


def post(headers: str, body: str) -> str:
    """A request to create a task."""
    return head("POST /tasks HTTP/1.1", f"{HOST}Content-Type: application/json\r\n{headers}") + body


def test_a_request_has_one_host_that_could_be_one(server: ApiProcess) -> None:
    for host in (
        "api",
        "API:5000",
        "api:",
        "a_b.c-d",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:80",
        "%C3%A9",
    ):
        assert send(server, head(headers=f"Host: {host}\r\n"))[0] == 200, host
    for headers in (
        *("", "Host:\r\n", "Host: \r\n", HOST + HOST, f"{HOST}Host: b\r\n", "Host: a,b\r\n"),
        *("Host: a b\r\n", "Host: a/b\r\n", "Host: u@a\r\n", "Host: a?b\r\n", "Host: a:b\r\n"),
        *("Host: [a\r\n", "Host: a%\r\n", "Host: :80\r\n", "Host: \xe9\r\n", "Host: http://a\r\n"),
    ):
        for target in ("/livez", "/tasks", "/nowhere"):
            status, named, body = send(server, head(f"GET {target} HTTP/1.1", headers))
            assert status == 400, headers
            assert json.loads(body)["error"]["code"] == "bad_host"
            assert named["x-request-id"]
    assert send(server, "GET /livez HTTP/1.0\r\n\r\n")[0] == 200
    assert send(server, f"GET /livez HTTP/1.0\r\n{HOST}{HOST}\r\n")[0] == 400


def test_methods_are_told_apart_by_case(server: ApiProcess, sql: Sql) -> None:
    for method in ("get", "Get", "gET", "head", "post", "Put", "delete", "options", "brew"):
        for path in ("/tasks", "/tasks/1", "/livez"):
            status, _, body = send(server, head(f"{method} {path} HTTP/1.1"))
            assert status == 501, (method, path)
            assert json.loads(body)["error"]["code"] == "unknown_method"
    assert send(server, head("BREW /livez HTTP/1.1"))[0] == 405
    assert sql(COUNT) == [(3,)]


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked", "x, y"])
def test_no_coding_is_passed_over(server: ApiProcess, sql: Sql, coding: str) -> None:
    status, _, _ = send(server, post(f"Transfer-Encoding: {coding}\r\n", WHOLE))
    assert status in (400, 501)
    assert sql(COUNT) == [(3,)]


@pytest.mark.parametrize(
    "cut",
    [
        f"{len(BODY):x}\r\n{BODY}\r\n",
        f"{len(BODY):x}\r\n{BODY}",
        f"{len(BODY):x}\r\n{BODY}\r\nzz\r\n",
        f"{len(BODY):x}\r\n{BODY}\r\n0\r\n",
        f"{len(BODY) + 1:x}\r\n{BODY}",
        f"5\r\n{BODY}\r\n0\r\n\r\n",
        "",
    ],
)
def test_a_body_in_chunks_that_ends_too_early_creates_nothing(
    api: ApiProcess, api_environment: dict[str, str], sql: Sql, cut: str, proxied: bool
) -> None:
    api.start(**api_environment, **trusting(proxied))
    for ends in (True, False):
        try:
            status, _, _ = send(api, post(CHUNKED, cut), ends=ends) if ends else hang_up(api, cut)
        except OSError:
            status = 0
        assert status in ((0, 400) if proxied else (0, 400, 411))
    refused = 'http_requests_total{code="4'
    wait_for(lambda: refused in api.request("GET", "/metrics")[1].decode(), "the refusals")
    assert sql(COUNT) == [(3,)]


def hang_up(api: ApiProcess, body: str) -> tuple[int, dict[str, str], str]:
    """Send the beginning of a request and go away."""
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        connection.sendall(post(CHUNKED, body).encode())
    return 0, {}, ""


def trusting(proxied: bool) -> dict[str, str]:
    """The setting by which what comes over loopback comes from a proxy."""
    return {"TRUSTED_PROXIES": "127.0.0.0/8"} if proxied else {}


def test_a_whole_body_in_chunks_is_taken_from_a_proxy_only(
    api: ApiProcess, api_environment: dict[str, str], sql: Sql, proxied: bool
) -> None:
    api.start(**api_environment, **trusting(proxied))
    status, headers, body = send(api, post(CHUNKED, WHOLE))
    if proxied:
        assert (status, json.loads(body)["task"]["title"]) == (201, "sent in chunks")
        large = "x" * 80_000
        status, _, body = send(api, post(f"Content-Length: {len(large)}\r\n", large))
        assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
        status, _, body = send(api, post(CHUNKED, f"{len(large):x}\r\n{large}\r\n0\r\n\r\n"))
        assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    else:
        assert (status, json.loads(body)["error"]["code"]) == (411, "length_required")
        assert headers["connection"] == "close"
    assert sql(COUNT) == [(4 if proxied else 3,)]


def test_what_a_client_that_half_closes_sent_is_done_once(server: ApiProcess, sql: Sql) -> None:
    """The server may end such a connection without the answer, see docs/http.md; a key makes up for it."""
    for number in range(20):
        key = f"Idempotency-Key: {number}\r\nContent-Length: {len(BODY)}\r\n"
        assert send(server, post(key, BODY), ends=True)[0] in (0, 201)
        assert send(server, post(key, BODY))[0] == 201
    assert sql(COUNT) == [(23,)]
