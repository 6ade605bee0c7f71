"""What is behind is said in columns; what does not answer is said in one line, and is no failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
from stackwright.images.outdated import UPGRADE, debian_lines, image_lines, python_lines

from tests.support import locks
from tests.support.registry import registry
from tests.support.resolving import dev_values

PLACES = {"API image": locks.API, "control side": locks.CONTROL}
NOWHERE = "http://buyer:swordfish@127.0.0.1:9/simple"  # the discard port: nobody listens


@contextmanager
def package_index(name: str, newest: str) -> Iterator[str]:
    """Address of an index that has one package in one version."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.rstrip("/").endswith(f"/{name}")
            wheel = f"{name}-{newest}-py3-none-any.whl"
            page = f'<!DOCTYPE html><a href="/{wheel}#sha256={"0" * 64}">{wheel}</a>'.encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page) if known else 0))
            self.end_headers()
            if known:
                self.wfile.write(page)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv remembers nothing between tests and tries once."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


def test_a_newer_release_is_named_with_the_places_it_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with package_index("flask", "99.0") as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        head, *table = python_lines(PLACES)
    assert head == f"Python packages: 1 of {len(locks.pins(locks.CONTROL))} are behind"
    assert [row.split("  ") for row in table] == [
        ["", "flask", f"{version('flask')} -> 99.0", "API image, control side"]
    ]


def test_a_silent_index_is_one_line_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE)
    (line,) = python_lines(PLACES)
    assert line.startswith("Python packages: not known, the package index did not answer")
    assert "swordfish" not in line


def test_images_are_up_to_date_behind_not_pinned_or_not_known() -> None:
    with registry() as served:
        bases = {
            f"{kind}_base_image": f"{served.address}/{kind}:1"
            for kind in ("python", "postgres", "redis")
        }
        old = {
            name: served.add(name, "1", {"a": b"old"}) for name in ("python", "postgres", "redis")
        }
        digests = {f"{served.address}/{name}:1": old[name] for name in ("python", "postgres")}
        new = served.add("postgres", "1", {"a": b"new"})
        values = dev_values(image_digests=digests, caddy_base_image="localhost/own:1", **bases)
        head, python, postgres, redis = image_lines(values)
    assert head == "Images of registries:"
    assert python.split() == [f"{served.address}/python:1", old["python"][:19], "up", "to", "date"]
    assert postgres.endswith(f"{old['postgres'][:19]}  tag is {new[:19]}: behind, `make pin`")
    assert redis.endswith(f"not pinned           tag is {old['redis'][:19]}: `make pin` records it")
    assert all("not known: no answer" in line for line in image_lines(values)[1:])


def test_what_apt_would_upgrade_is_read_from_its_simulation() -> None:
    said = (
        "Inst libc6 [2.36-9] (2.36-10 Debian-Security:12/oldstable-security [amd64]) []\n"
        "Inst new-package (1.0 Debian:12/oldstable [amd64])\n"
        "Conf libc6 (2.36-10 Debian-Security:12/oldstable-security [amd64])\n"
    )
    assert UPGRADE.findall(said) == [("libc6", "2.36-9", "2.36-10")]


def test_without_stand_ins_there_is_nothing_to_ask() -> None:
    assert debian_lines([]) == ["Debian packages: no stand-in image is here"]


def test_where_there_is_no_engine_there_is_no_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert debian_lines(["localhost/x:1"]) == ["Debian packages: no stand-in image is here"]


def test_an_engine_that_does_not_answer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho Cannot connect to the Docker daemon >&2\nexit 1\n")
    client.chmod(0o755)
    (line,) = debian_lines(["localhost/x:1"])
    assert line.startswith("Debian packages: not known, no engine answers at ")
