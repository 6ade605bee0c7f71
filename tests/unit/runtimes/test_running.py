"""What there is of an environment, with a real program in the place of the docker client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stackwright.runtimes.compose import engine
from stackwright.runtimes.running import RECORD, find_environment, note_started, started_runtimes

LISTS = 'case "$1" in ps) echo "{states}" ;; network) echo "{networks}" ;; esac'


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the only program on PATH, ``docker``, is to be written."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin/docker"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The folder of an environment that is rendered for compose."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"runtime": "compose"}))
    return folder


def write(client: Path, script: str) -> None:
    client.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    client.chmod(0o755)


@pytest.mark.parametrize(
    ("states", "networks", "running", "present", "logged"),
    [
        ("running exited", "n", ["compose"], ["compose"], ["compose"]),
        ("exited created", "n", [], ["compose"], ["compose"]),
        ("", "n", [], ["compose"], []),
        ("", "", [], [], []),
    ],
)
def test_what_ended_or_was_only_created_is_there(
    client: Path, output: Path, states: str, networks: str,
    running: list[str], present: list[str], logged: list[str],
) -> None:  # fmt: skip
    write(client, LISTS.format(states=states, networks=networks))
    found = find_environment(output, "shop")
    assert (found.running, found.present, found.logged) == (running, present, logged)
    assert (found.silence, found.unknown) == ("", False)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec /bin/sleep 30", "did not answer within"),
        ("echo Cannot connect to the Docker daemon >&2; exit 1", "no engine answers"),
        ("echo permission denied while trying to connect >&2; exit 1", "may not use the socket"),
    ],
)
def test_silence_is_not_absence(
    client: Path, output: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    monkeypatch.setattr(engine, "ANSWER_SECONDS", 0.2)
    write(client, script)
    found = find_environment(output, "shop")
    assert found.unknown
    assert reason in found.silence
    assert found.advice
    assert found.started == ["compose"]
    assert found.running == []


def test_no_client_has_no_containers(client: Path, output: Path) -> None:
    assert not client.exists()
    found = find_environment(output, "shop")
    assert (found.present, found.unknown) == ([], False)
    assert found.silence == "there is no docker client"


def test_logs_of_ended_processes_are_there(client: Path, output: Path) -> None:
    logs = output / "embedded/logs"
    logs.mkdir(parents=True)
    (logs / "api-web.log").write_text("a line\n")
    (output / "manifest.json").write_text(json.dumps({"runtime": "embedded"}))
    assert find_environment(output, "shop").logged == ["embedded"]
    assert find_environment(output, "shop").running == []


def test_a_start_is_noted_until_it_is_stopped(output: Path) -> None:
    assert started_runtimes(output) == ["compose"]  # by hand, maybe: nobody noted anything
    assert note_started(output, "compose", started=False)
    assert started_runtimes(output) == []
    assert note_started(output, "compose", started=True)
    assert not note_started(output, "compose", started=True)
    assert started_runtimes(output) == ["compose"]
    (output / RECORD).write_text("damaged")
    assert started_runtimes(output) == ["compose"]
