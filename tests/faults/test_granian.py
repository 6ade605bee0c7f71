"""What granian does by itself. Where it has learned better, a module of `tasks_api.server` has no more reason."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from granian.http import HTTP1Settings

from tests.api.servers import ApiProcess, wait_for
from tests.support.processes import children

APPLICATION = """
import json

def application(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [])
    return [json.dumps(sorted(environ)).encode()]
"""
SERVER = """
import sys
from granian.constants import HTTPModes, Interfaces
from granian.server import Server

Server(
    "plain:application",
    port=int(sys.argv[1]),
    interface=Interfaces.WSGI,
    http=HTTPModes.http1,
    websockets=False,
    blocking_threads=2,
    respawn_failed_workers=True,
).serve()
"""
HALF = b"POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 1000\r\n\r\nhalf"
WHOLE = b"GET / HTTP/1.1\r\nHost: api\r\n\r\n"


class Plain(ApiProcess):
    """granian with nothing of ours."""

    def start_only(self, **environ: str) -> None:
        (self.folder / "plain.py").write_text(APPLICATION, encoding="utf-8")
        variables = self.environment(**environ) | {"PYTHONPATH": str(self.folder)}
        self._spawn([sys.executable, "-c", SERVER, str(self.port)], variables)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Plain]:
    """Return granian, started, with one worker of two threads."""
    server = Plain(tmp_path)
    server.start(MARKED="for the process, not for its requests")
    yield server
    server.stop(signal.SIGKILL)


def test_environment_of_the_process_is_in_each_request(plain: Plain) -> None:
    _, body = plain.request("GET", "/")
    assert "MARKED" in json.loads(body), "server/application.py is only needed for `concurrency`"


def test_bodies_that_do_not_come_hold_threads(plain: Plain) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", plain.port)))
            half.sendall(HALF)
        # Until both are there, others are answered.
        assert any(not is_answered(plain) for _ in range(10)), (
            "`Slots` of server/concurrency.py are needed for the database only"
        )
    assert plain.request("GET", "/")[0].status == 200


def is_answered(plain: Plain) -> bool:
    """Whether a request is, within a second."""
    with socket.create_connection(("127.0.0.1", plain.port)) as whole:
        whole.sendall(WHOLE)
        whole.settimeout(1)
        try:
            return bool(whole.recv(1))
        except TimeoutError:
            return False


def test_no_setting_ends_a_body_and_no_request_names_its_connection(plain: Plain) -> None:
    known = {"header_read_timeout", "keep_alive", "max_buffer_size", "pipeline_flush"}
    names = {field.name for field in dataclasses.fields(HTTP1Settings)}
    assert names <= known, "one of these may do in place of server/read_timeout.py"
    _, body = plain.request("GET", "/")
    assert "REMOTE_PORT" not in json.loads(body), (
        "server/read_timeout.py need not look for connections by time"
    )


def test_idle_connections_are_closed_without_a_word(plain: Plain) -> None:
    connection = plain.connect()
    connection.request("GET", "/")
    connection.getresponse().read()
    assert plain.process
    plain.process.send_signal(signal.SIGTERM)
    connection.sock.settimeout(10)
    ended = connection.sock.recv(1) == b""
    connection.close()
    assert ended
    assert plain.process.wait(30) == 0


def test_server_ends_when_a_worker_ends_twice(plain: Plain) -> None:
    for _ in range(2):
        assert plain.process
        wait_for(lambda: children(plain.process.pid), "a worker")  # type: ignore[union-attr]
        spawned = plain.log.count("Spawning worker")
        for pid in children(plain.process.pid):
            os.kill(pid, signal.SIGKILL)
        wait_for(
            lambda n=spawned: (  # type: ignore[misc]
                plain.log.count("Spawning worker") > n or plain.process.poll() is not None  # type: ignore[union-attr]
            ),
            "what becomes of it",
        )
    assert plain.process
    assert plain.process.wait(30) == 1, "_serve_loop of server/workers.py need not be replaced"


def test_workers_go_on_without_the_main_process(plain: Plain) -> None:
    assert plain.process
    workers = children(plain.process.pid)
    plain.process.kill()
    plain.process.wait()
    try:
        assert plain.request("GET", "/")[0].status == 200, "_stop_after of server/workers.py"
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
