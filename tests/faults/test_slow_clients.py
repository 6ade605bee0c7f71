"""Clients that send or read slowly, or stop half-way: the others are served as if they were not there."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest
from tasks_api.server.read_timeout import LIMIT_SECONDS

from tests.api.servers import ApiProcess, Sql, wait_for
from tests.faults.load import JSON, Choose, Load, Request, answered, slowest, usual
from tests.support.processes import children

MANY = 64
HALF = (
    b"POST /tasks HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"title": "slow, but going on'
)
CHUNK = (
    b"POST /tasks HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"title":\r\n'
)
WHOLE = b"GET /livez HTTP/1.1\r\nHost: api\r\n\r\n"
LIST = b"GET /tasks HTTP/1.1\r\nHost: api\r\n\r\n"
BUSY_MACHINE_SECONDS = 4.0  # and what it takes to notice


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
def connections(
    api: ApiProcess, data: bytes, count: int = MANY, **options: int
) -> Iterator[list[socket.socket]]:
    """Connections on each of which these bytes were sent; `options` are of their sockets."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            for name, value in options.items():
                connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
            connection.connect(("127.0.0.1", api.port))
            connection.sendall(data)
            opened.append(connection)
        yield opened


@contextmanager
def sending_slowly(api: ApiProcess, data: bytes, rest: bytes) -> Iterator[None]:
    """Many connections on each of which, after some data, a byte is sent now and then."""
    over = threading.Event()
    with connections(api, data) as opened:

        def send() -> None:
            for byte in rest:
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


@pytest.mark.parametrize("at_once", [1, HALF.index(b"{")], ids=["head", "body"])
def test_requests_byte_by_byte(at_once: int, running: ApiProcess) -> None:
    undisturbed(running, lambda: sending_slowly(running, HALF[:at_once], HALF[at_once:]))


def test_answers_that_are_not_read(running: ApiProcess, sql: Sql) -> None:
    sql("INSERT INTO tasks (title) SELECT repeat('long ', 40) FROM generate_series(1, 1000)")
    assert len(running.request("GET", "/tasks")[1]) > 200_000
    undisturbed(running, lambda: connections(running, LIST, SO_RCVBUF=4096), others=reads)


def writes(client: int, number: int) -> Request:
    """What honest clients do."""
    return Request("POST", "/tasks", {"title": f"{client}-{number}"})


@contextmanager
def besieging(api: ApiProcess, count: int, *, goes_on: bool) -> Iterator[list[bytes]]:
    """So many connections with a body that does not come to its end, and what they are answered."""
    over, answers = threading.Event(), []

    def connect() -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", api.port))
        connection.sendall(HALF)
        connection.setblocking(False)
        return connection

    def besiege() -> None:
        connections = [connect() for _ in range(count)]
        while not over.wait(0.5):
            for place, connection in enumerate(connections):
                try:
                    with suppress(BlockingIOError):
                        answer = connection.recv(4096)
                        if not answer:
                            raise ConnectionError
                        answers.append(answer)
                    if goes_on:
                        connection.send(b"x")
                except OSError:
                    connection.close()
                    connections[place] = connect()
        for connection in connections:
            connection.close()

    thread = threading.Thread(target=besiege)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


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


@pytest.mark.parametrize("goes_on", [True, False], ids=["byte_by_byte", "silent"])
def test_late_bodies_take_no_place_from_writes(running: ApiProcess, goes_on: bool) -> None:
    """All from one address, heedless of what they are told, and back as soon as they are cut off."""
    with besieging(running, 150, goes_on=goes_on) as answers, Load(running, writes) as load:
        wait_for(lambda: len(answers) > 150, "late bodies to make way")
        so_far = len(load.sent)
        wait_for(lambda: len(load.sent) > so_far + 1000, "writes")
    lost = [one for one in load.sent if one.status != 201]
    assert len(lost) <= len(load.sent) / 1000, f"{len(lost)} of {len(load.sent)}: {lost[:5]}"
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer.lower()
        assert b'"busy"' in answer


def test_half_sent_requests_end(running: ApiProcess) -> None:
    # With a whole request ahead, the last word on the connection is the server's.
    with connections(running, HALF) as opened, connections(running, WHOLE + HALF, 20) as after:
        began = time.monotonic()
        received = b""
        for connection in opened + after:
            connection.settimeout(LIMIT_SECONDS + BUSY_MACHINE_SECONDS)
            with suppress(ConnectionResetError):
                while data := connection.recv(4096):
                    received += data
        assert b"HTTP/1.1 408 " in received  # of each worker's oldest others were told 503 before
        assert time.monotonic() < began + LIMIT_SECONDS + BUSY_MACHINE_SECONDS
    answer, _ = running.request("POST", "/tasks", '{"title": "t"}', JSON)
    assert answer.status == 201


def test_half_sent_requests_end_where_answers_are_not_read(running: ApiProcess, sql: Sql) -> None:
    sql("INSERT INTO tasks (title) SELECT repeat('long ', 40) FROM generate_series(1, 1000)")
    before = established(running)
    with connections(running, LIST + HALF, 4, SO_RCVBUF=4096):
        wait_for(lambda: established(running) == before + 4, "the connections")
        wait_for(lambda: established(running) == before, "their end")


def established(api: ApiProcess) -> int:
    """How many connections clients have to the API."""
    assert api.process
    return sum(
        one.laddr.port == api.port and one.status == psutil.CONN_ESTABLISHED
        for pid in children(api.process.pid)
        for one in psutil.Process(pid).net_connections("tcp")
    )


def test_half_sent_requests_hold_up_no_stop(running: ApiProcess) -> None:
    with connections(running, HALF):
        assert running.request("POST", "/tasks", '{"title": "t"}', JSON)[0].status == 201
        asked = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() < asked + LIMIT_SECONDS + BUSY_MACHINE_SECONDS
