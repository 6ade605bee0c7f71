"""Clients that send or read slowly, or stop half-way: the others are served as if they were not there."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.api.servers import ApiProcess, Sql, wait_for
from tests.faults.load import Choose, Load, Request, answered, slowest, usual

MANY = 64
HALF = (
    b"POST /tasks HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"title":'
)
CHUNK = (
    b"POST /tasks HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"title":\r\n'
)
LIST = b"GET /tasks HTTP/1.1\r\nHost: api\r\n\r\n"


def others(client: int, number: int) -> Request:
    """What the other clients do."""
    return (
        Request("GET", "/tasks/1"),
        Request("GET", "/livez"),
        Request("POST", "/tasks", {"title": f"{client}-{number}"}),
        Request("GET", f"/tasks/{9000 + number}"),
    )[number % 4]


def reads(client: int, number: int) -> Request:
    """The same without changes to the list."""
    return others(client, number % 2)


@contextmanager
def connections(api: ApiProcess, data: bytes, **options: int) -> Iterator[list[socket.socket]]:
    """Many connections on each of which these bytes were sent."""
    with ExitStack() as stack:
        opened = []
        for _ in range(MANY):
            connection = stack.enter_context(socket.socket())
            for name, value in options.items():
                connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
            connection.connect(("127.0.0.1", api.port))
            connection.sendall(data)
            opened.append(connection)
        yield opened


@contextmanager
def sending_slowly(api: ApiProcess, data: bytes) -> Iterator[None]:
    """Many connections on each of which a byte is sent now and then."""
    over = threading.Event()
    with connections(api, data[:1]) as opened:

        def send() -> None:
            for byte in data[1:]:
                for connection in opened:
                    with suppress(OSError):
                        connection.sendall(bytes([byte]))
                if over.wait(0.1):
                    break

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("data", [HALF, CHUNK, HALF[:60]], ids=["body", "chunk", "head"])
def test_half_sent_requests(data: bytes, running: ApiProcess) -> None:
    undisturbed(running, lambda: connections(running, data))


@pytest.mark.parametrize("begin", [1, HALF.index(b"{")], ids=["head", "body"])
def test_requests_byte_by_byte(begin: int, running: ApiProcess) -> None:
    data = HALF[:begin], HALF[begin:]
    undisturbed(running, lambda: sending_slowly(running, data[1] if begin == 1 else HALF))


def test_answers_that_are_not_read(running: ApiProcess, sql: Sql) -> None:
    sql("INSERT INTO tasks (title) SELECT repeat('long ', 40) FROM generate_series(1, 1000)")
    assert len(running.request("GET", "/tasks")[1]) > 200_000
    undisturbed(running, lambda: connections(running, LIST, SO_RCVBUF=4096), others=reads)


def undisturbed(api: ApiProcess, slow: Callable[[], object], *, others: Choose = others) -> None:
    """Check that others are served equally well before and while there are slow clients."""
    with Load(api, others, clients=4) as load:
        wait_for(lambda: len(load.sent) > 100, "the load")
        began = time.monotonic()
        with slow():  # type: ignore[attr-defined]
            time.sleep(3)
            ended = time.monotonic()
    answered(load.sent, 200, 201, 404)
    before, meanwhile = load.during(0, began), load.during(began, ended)
    assert slowest(meanwhile) < slowest(before) + 1
    assert usual(meanwhile) < usual(before) + 0.1


def test_half_sent_requests_end(running: ApiProcess) -> None:
    with connections(running, HALF) as opened:
        began = time.monotonic()
        for connection in opened:
            connection.settimeout(20)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        assert time.monotonic() < began + 14
    with connections(running, HALF):
        response, body = running.request(
            "POST", "/tasks", '{"title": "t"}', {"Content-Type": "application/json"}
        )
        assert response.status == 201, json.loads(body)
        assert running.stop() == 0  # at the latest when they end
