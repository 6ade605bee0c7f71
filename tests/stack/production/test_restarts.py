"""The stack after restarts: of each container by the engine, and of all by Compose."""

from __future__ import annotations

import secrets

import pytest

from tests.stack.containers import docker
from tests.stack.production.conftest import Production

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("by", ["engine", "engine again", "compose"])
def test_everything_comes_back_and_no_task_is_lost(production: Production, by: str) -> None:
    production.wait_until_whole()
    title = f"before {by} {secrets.token_hex(4)}"
    assert production.ask("POST", "/tasks", {"title": title}).status == 201
    titles = production.titles()
    if by == "compose":
        done = production.compose("restart")
        assert done.returncode == 0, done.stderr
    else:
        docker("restart", *production.names())
    production.wait_until_whole()
    assert title in production.titles()
    assert production.titles() == titles


def test_every_promise_holds_after_them(production: Production) -> None:
    done = production.play("playbooks/verify.yml")
    assert done.returncode == 0, done.output
    assert "proofs      14 of 14 held" in done.output
