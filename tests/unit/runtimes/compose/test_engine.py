"""What the machine's docker client answers, with a real program of that name in its place."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from stackwright.runtimes.compose import engine
from stackwright.runtimes.compose.engine import Engine, probe_engine


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the only program on PATH, ``docker``, is to be written."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "docker"


def write(client: Path, script: str, first_line: str = "#!/bin/sh") -> None:
    client.write_text(f"{first_line}\n{script}\n", encoding="utf-8")
    client.chmod(0o755)


def answering(engine_version: str, compose: str) -> str:
    return f'case "$1" in version) echo {engine_version} ;; compose) {compose} ;; esac'


def test_an_engine_with_compose_is_usable(client: Path) -> None:
    write(client, answering("24.0.7", "echo v2.40.3"))
    found = probe_engine()
    assert found.usable
    assert found.reason == "Docker Engine 24.0.7 with Compose 2.40.3 answers"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo Cannot connect to the Docker daemon >&2; exit 1", "no engine answers"),
        ("echo permission denied while trying to connect >&2; exit 1", "group docker"),
        (answering("19.03.8", "echo 2.20.0"), "Docker Engine 19.03.8 is older than 20.10"),
        (
            answering("24.0.7", "echo docker: compose is no docker command >&2; exit 1"),
            "Compose v2 is missing",
        ),
        (answering("24.0.7", "echo 1.29.2"), "Compose 1.29.2 is older than 2.0"),
        ("exit 3", "no engine answers"),
        ("echo context default: not found >&2; exit 1", "the docker client says: context default"),
    ],
)
def test_why_an_engine_is_not_usable_fits_into_one_line(
    client: Path, script: str, reason: str
) -> None:
    write(client, script)
    found = probe_engine()
    assert not found.usable
    assert reason in found.reason
    assert "\n" not in found.reason


def test_no_client(client: Path) -> None:
    assert not client.exists()
    assert probe_engine() == Engine(False, "there is no docker client")


REFUSED = "Cannot connect to the Docker daemon at unix://%s. Is the docker daemon running?"


def client_of(client: Path, place: Path) -> None:
    """A client as Docker's own where nothing answers at ``place``."""
    write(
        client,
        f'case "$1" in context) echo unix://{place} ;; *) echo {REFUSED % place} >&2; exit 1 ;; esac',
    )


def test_without_a_socket_there_is_no_engine(client: Path) -> None:
    client_of(client, client.parent / "none.sock")
    found = probe_engine()
    assert (found.usable, found.unknown) == (False, False)
    assert found.reason.startswith("no engine answers (there is no socket ")


def test_a_socket_that_refuses_may_have_an_engine_again(client: Path) -> None:
    place = client.parent / "docker.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(place))
    client_of(client, place)
    found = probe_engine()
    assert (found.usable, found.unknown, found.denied) == (False, True, False)
    assert found.reason == f"no engine answers at unix://{place}"


def test_an_engine_that_denies_this_user_is_there(client: Path) -> None:
    write(client, "echo permission denied while trying to connect >&2; exit 1")
    found = probe_engine()
    assert (found.unknown, found.denied) == (True, True)


def test_a_client_that_cannot_be_executed_is_no_engine(client: Path) -> None:
    write(client, "", first_line="#!/no/such/interpreter")
    assert not probe_engine().usable


def test_an_engine_that_hangs_is_given_up(client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ANSWER_SECONDS", 0.1)
    write(client, "exec /bin/sleep 30")
    found = probe_engine()
    assert found.reason == "the Docker engine did not answer within 0.1 s"
    assert found.unknown


def test_a_compose_that_hangs_is_not_said_to_be_missing(
    client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ANSWER_SECONDS", 0.5)
    write(client, answering("24.0.7", "exec /bin/sleep 30"))
    found = probe_engine()
    assert found.reason == "Docker Engine 24.0.7 answers, but Compose v2 does not answer in time"
    assert found.unknown
