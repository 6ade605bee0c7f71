"""A Docker engine that refuses, where containers were started: nothing is started beside them or called absent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.project import Project, Run

REFUSES = "#!/bin/sh\necho Cannot connect to the Docker daemon >&2\nexit 1\n"


@pytest.fixture(scope="module")
def started(shared_project: Project) -> Project:
    """dev, rendered, and started with Docker as far as was noted; its engine refuses."""
    client = shared_project.write("bin/docker", REFUSES)
    client.chmod(0o755)
    done = shared_project.run("playbooks/render.yml", "-e", "stack_runtime=embedded")
    assert done.returncode == 0, done.output
    (shared_project.output("dev") / "started.json").write_text(json.dumps(["compose"]))
    return shared_project


def play(project: Project, playbook: str, *arguments: str) -> Run:
    path = f"{project.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return project.run(playbook, *arguments, variables={"PATH": path})


@pytest.mark.parametrize("playbook", ["status", "logs", "stop"])
def test_what_cannot_be_asked_is_not_called_absent(started: Project, playbook: str) -> None:
    done = play(started, f"playbooks/{playbook}.yml")
    assert done.returncode != 0
    assert "no engine answers" in done.output
    assert "its containers may run; nothing was done to them" in done.output
    assert "is not running" not in done.output
    assert "nothing to stop" not in done.output


def test_auto_starts_nothing_beside_it(started: Project) -> None:
    before = (started.output("dev") / "manifest.json").read_bytes()
    done = play(started, "site.yml")
    assert done.returncode != 0
    assert "nothing is started beside them" in done.output
    assert "RUNTIME=embedded" in done.output
    assert (started.output("dev") / "manifest.json").read_bytes() == before


def test_what_was_not_started_is_called_so_with_the_caveat(started: Project) -> None:
    record = Path(started.output("dev") / "started.json")
    record.write_text("[]")
    try:
        done = play(started, "playbooks/stop.yml")
    finally:
        record.write_text(json.dumps(["compose"]))
    assert done.returncode == 0, done.output
    assert "whether containers of dev run, too, is unknown" in done.output
    assert "there is nothing to stop" in done.output
