"""One router: the views are what runs, with the fast path and without, and few modules stand between."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import tasks_api
from flask import request
from flask.testing import FlaskClient
from tasks_api.http.messages import Response, current
from tasks_api.openapi.operations import describe
from tasks_api.server import application

from tests.api.servers import MakeClient

MOST_MODULES = 14
ROOT = Path(tasks_api.__file__).parent


class Protocol:
    """What granian hands over to be answered with."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def response_bytes(self, status: int, headers: object, body: bytes) -> None:
        assert status == 200
        self.bodies.append(body)


def scope(path: str) -> dict[str, Any]:
    """Return what granian says of a request."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1:4000",
    }


@contextmanager
def entered() -> Iterator[set[str]]:
    """Collect the modules of the API of which a function is called meanwhile, in this thread."""
    modules: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(ROOT):
            modules.add(str(file.relative_to(ROOT)))

    sys.setprofile(note)
    try:
        yield modules
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("path", ["/tasks", "/tasks/1"])
def test_a_cached_read_passes_few_modules(client: FlaskClient, path: str) -> None:
    serve = application.callback(client.application)
    protocol = Protocol()
    for _ in range(3):  # until it is cached, and then known
        serve(protocol, scope(path))
    with entered() as modules:
        serve(protocol, scope(path))
    assert protocol.bodies[-1].startswith(b'{"source":"cache"')
    assert "tasks/views.py" in modules
    assert len(modules) <= MOST_MODULES, sorted(modules)


@pytest.mark.parametrize("fast_path", [True, False])
def test_a_new_endpoint_is_one_view(make_client: MakeClient, fast_path: bool) -> None:
    make_client().get("/openapi.json")  # of another application
    client = make_client(fast_path=fast_path)

    @client.application.get("/echo/<word>")
    @describe({200: "text/plain"}, scope="open", needs_flask=False)
    def echo(word: str) -> Response:
        """Say it again."""
        asked = current.get().environ["QUERY_STRING"]
        return Response(200, f"{word} {asked}".encode(), {"Content-Type": "text/plain"})

    for _ in range(2):
        found = client.get("/echo/a%20b?c", headers={"X-Request-ID": "mine"})
        assert (found.status_code, found.text) == (200, "a b c")
        assert found.headers["X-Request-ID"] == "mine"
    assert client.get("/echo/%C3%A9").text == "é "
    assert client.post("/echo/x").status_code == 405
    assert client.get("/openapi.json").json["paths"]["/echo/{word}"]["get"]["summary"]


def test_a_view_may_need_flask(client: FlaskClient) -> None:
    @client.application.get("/flask")
    @describe({200: "text/plain"}, scope="open")
    def ask_flask() -> str:
        """Show a parameter."""
        return request.args["said"]

    assert client.get("/flask?said=x").text == "x"


@pytest.mark.parametrize("fast_path", [True, False])
def test_the_views_are_what_runs(make_client: MakeClient, fast_path: bool) -> None:
    client = make_client(fast_path=fast_path)
    views = client.application.view_functions

    def instead(**arguments: str) -> Response:
        return Response(200, repr(arguments).encode(), {"Content-Type": "text/plain"})

    describe({200: "text/plain"}, scope="open", needs_flask=False)(instead)
    for endpoint in [name for name in views if name.startswith("tasks.")]:
        views[endpoint] = instead
    for method, path in [("GET", "/tasks"), ("POST", "/tasks")]:
        assert client.open(path, method=method).text == "{}"
    for method in ("GET", "PUT", "DELETE"):
        assert client.open("/tasks/7", method=method).text == "{'id': '7'}"


def test_paths_of_clients_fill_no_memory(client: FlaskClient) -> None:
    for number in range(2000):
        assert client.get(f"/tasks/x{number}").status_code == 404
    assert client.application.wsgi_app._fast._find.cache_info().currsize <= 512  # type: ignore[attr-defined]
