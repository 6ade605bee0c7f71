"""What a user reads when a start fails: the cause, once, from what was said since this start; and what is left then."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.project import Project, Run

PORT = 11440
OLD_LINE = 'FATAL:  password authentication failed for user "tasks_app"\n'
NOTHING_KNOWN = "Not one of the known causes"


def play(project: Project, playbook: str, *arguments: str) -> Run:
    return project.run(
        playbook, "-e", "stack_runtime=embedded", "-e", f"api_port={PORT}", *arguments
    )


@pytest.fixture(scope="module")
def rendered(shared_project: Project) -> Iterator[Project]:
    """dev, rendered, with the log of an earlier life."""
    done = play(shared_project, "playbooks/render.yml")
    assert done.returncode == 0, done.output
    shared_project.write("generated/dev/embedded/logs/banco-dados.log", OLD_LINE)
    yield shared_project
    play(shared_project, "playbooks/stop.yml")


def test_what_explains_itself_is_said_once_and_not_explained(rendered: Project) -> None:
    with socket.create_server(("127.0.0.1", PORT)):
        done = play(rendered, "playbooks/start.yml")
    assert done.returncode != 0
    assert done.output.count(f"port {PORT} is taken by") == 1
    assert "set api_port to another port" in done.output
    assert "cause  " not in done.output
    assert NOTHING_KNOWN not in done.output


def test_the_words_of_the_failed_program_rank_before_old_lines(rendered: Project) -> None:
    code = rendered.folder / "app/api/src/tasks_api/app.py"
    good = code.read_text(encoding="utf-8")
    code.write_text(f"{good}\ndef broken(:\n", encoding="utf-8")
    try:
        done = play(rendered, "site.yml")
    finally:
        code.write_text(good, encoding="utf-8")
    assert done.returncode != 0
    [cause] = [line for line in done.output.splitlines() if line.startswith("  cause ")]
    assert cause.endswith("SyntaxError: invalid syntax")
    assert "password" not in done.output
    assert "last lines of" in done.output


def test_what_stopped_still_shows_its_logs_and_a_stop_says_what_it_did(rendered: Project) -> None:
    stopped = play(rendered, "playbooks/stop.yml").output
    assert "stopped: " in stopped
    assert "cache-redis, banco-dados, supervisord" in stopped  # the API may be up again or not
    assert "data kept in " in stopped
    again = play(rendered, "playbooks/stop.yml")
    assert again.returncode == 0
    assert "there is nothing to stop" in again.output
    logs = play(rendered, "playbooks/logs.yml", "-e", "lines=3").output
    assert "dev is not running; these are its last lines" in logs
    assert "LOG:  database system is shut down" in logs
