"""Arbitrary bytes over a socket: never a 5xx, nothing of the inside, and the server goes on."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api.servers import ApiProcess

EXAMPLES = 700  # of each of the three kinds
SECONDS = 10.0
# A stack trace, SQL, a module or driver, or where something is.
INSIDE = re.compile(
    rb"Traceback|File \"|SELECT |INSERT |psycopg|tasks_api[./]|werkzeug|127\.0\.0\.1"
)
PATHS = ["/", "/tasks", "/tasks/1", "/tasks/2", "/cache/stats", "/health", "/openapi.json", "/x"]
NAMES = [
    *("Accept", "Accept-Encoding", "Access-Control-Request-Method", "Authorization", "Cookie"),
    *("Content-Encoding", "Content-Type", "Expect", "Host", "Idempotency-Key", "If-Match"),
    *("If-None-Match", "Origin", "Range", "Upgrade", "X-Forwarded-For", "X-Request-ID"),
]
TYPES = [b"application/json", b"application/json; charset=x", b"multipart/form-data", b""]

# A line end, or the space after the path, would only make the rest of the request something else.
values = st.binary(max_size=60).map(lambda value: re.sub(rb"[\r\n]", b"", value))
segments = st.binary(max_size=40).map(lambda value: re.sub(rb"[\r\n ]", b"", value))
paths = st.builds(
    lambda path, rest: path.encode() + rest,
    st.sampled_from(PATHS),
    st.one_of(st.just(b""), segments, segments.map(lambda text: b"?" + text)),
)
queries = st.lists(
    st.builds(
        lambda name, value: name.encode() + b"=" + value,
        st.sampled_from(["status", "q", "limit", "cursor", "x", "%ff", ""]),
        st.one_of(
            segments,
            st.integers().map(lambda number: str(number).encode()),
            st.from_regex(rb"\A(%[0-9a-fA-F]{2}){1,9}\Z"),
            st.sampled_from([b"pending", b"9999999999999999.2147483648", b"-9999999999999999.1"]),
        ),
    ),
    max_size=4,
).map(b"&".join)
headers = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(NAMES), st.from_regex(r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]{1,30}\Z")),
        st.one_of(values, st.sampled_from([b"*", b'"', b'W/"', b"gzip;q=", b"http://x"])),
    ),
    max_size=5,
)
texts = (
    st.text()
    | st.text(st.characters(categories=["Cs"]), max_size=3)
    | st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
)
json_values = st.recursive(
    texts, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
objects = st.dictionaries(
    st.sampled_from(["title", "description", "status", "id", "x"]), json_values, max_size=4
)

tasks = st.fixed_dictionaries(
    {"title": st.text(min_size=1, max_size=300)},
    optional={"description": st.text(), "status": st.sampled_from(["pending", "completed", ""])},
)


@pytest.fixture
def server(api: ApiProcess, api_environment: dict[str, str]) -> Iterator[ApiProcess]:
    """Return a running API; when the test is over it must still serve, and have met no surprise."""
    # As a trusted proxy one may send bodies in chunks, and is believed about its clients.
    trust = {"TRUSTED_PROXIES": "127.0.0.0/8"}
    api.start(**api_environment, **trust, LOG_LEVEL="WARNING", API_WORKERS="1")
    yield api
    assert api.request("GET", "/tasks")[0].status == 200
    assert "Traceback" not in api.log
    assert "panicked" not in api.log


def bounded(examples: int = EXAMPLES) -> settings:
    """Return settings: the same examples each time, one server for all of them."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


def exchange(api: ApiProcess, request: bytes, *, ends: bool = False) -> bytes:
    """Send `request` on a connection of its own; returns all that comes back.

    With `ends` nothing more is said, which is how a client that went away looks.
    """
    with socket.create_connection(("127.0.0.1", api.port), SECONDS) as connection:
        try:
            connection.sendall(request)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except (ConnectionResetError, BrokenPipeError):
            return b""  # it may hang up on what is no HTTP


def check(answer: bytes) -> int:
    """Check what came back; returns the status."""
    found = re.match(rb"HTTP/1\.1 ([1-5][0-9]{2})[ \r]", answer)
    assert found, answer[:200]
    status = int(found[1])
    assert status < 500 or status == 501, answer[:1000]  # 501 is of what was asked, not of us
    if status >= 400:
        assert not INSIDE.search(answer), answer[:1000]
    return status


@pytest.mark.slow
def test_any_path_headers_and_body(server: ApiProcess) -> None:
    @bounded()
    @given(
        st.sampled_from(
            [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"X-Y"]
        ),
        paths | queries.map(lambda query: b"/tasks?" + query),
        headers,
        st.binary(max_size=300),
    )
    def run(method: bytes, path: bytes, fields: list[tuple[str, bytes]], body: bytes) -> None:
        head = [method + b" " + path + b" HTTP/1.1", b"Host: api", b"Connection: close"]
        head += [name.encode() + b": " + value for name, value in fields if name != "Host"]
        head.append(b"Content-Length: %d" % len(body))
        check(exchange(server, b"\r\n".join(head) + b"\r\n\r\n" + body))

    run()


@pytest.mark.slow
def test_any_body_where_one_is_wanted(server: ApiProcess) -> None:
    @bounded()
    @given(
        st.sampled_from([b"POST /tasks", b"PUT /tasks/1"]),
        st.one_of(st.just(b"application/json"), st.sampled_from(TYPES)),
        st.one_of(st.binary(max_size=300), (json_values | objects).map(dumped), tasks.map(dumped)),
        st.booleans(),
    )
    def run(target: bytes, kind: bytes, body: bytes, chunked: bool) -> None:
        head = target + b" HTTP/1.1\r\nHost: api\r\nConnection: close\r\nContent-Type: " + kind
        if chunked:
            end = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            rest = b"\r\nTransfer-Encoding: chunked\r\n\r\n" + end + b"0\r\n\r\n"
        else:
            rest = b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        assert check(exchange(server, head + rest)) in (200, 201, 400, 415, 422)

    run()


@pytest.mark.slow
def test_any_bytes_at_all(server: ApiProcess) -> None:
    start = st.sampled_from(
        [
            b"",
            b"GET /tasks HTTP/1.1\r\n",
            b"POST /tasks HTTP/1.1\r\nHost: api\r\nContent-Length: 9\r\n\r\n",
            b"POST /tasks HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\n",
        ]
    )

    @bounded()
    @given(start, st.binary(max_size=400))
    def run(beginning: bytes, rest: bytes) -> None:
        if answer := exchange(server, beginning + rest, ends=True):
            check(answer)

    run()


def dumped(value: object) -> bytes:
    """Return `value` as Python writes it: NaN may be in it."""
    return json.dumps(value).encode()
