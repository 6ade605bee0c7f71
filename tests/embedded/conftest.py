"""One environment for the whole session, with values and a folder that break whatever is not exact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.servers import open_folder
from tests.embedded.stacks import Stack

PASSWORD = " p\"a's%s %(here)s $HOME ${x} \\ é🎉:#;`id` "
SECRETS = {
    "db_password": PASSWORD,
    "db_app_password": f"app{PASSWORD}",
    "db_backup_password": f"backup{PASSWORD}",
    "db_monitor_password": f"monitor{PASSWORD}",
    "cache_password": f"cache{PASSWORD}",
}
GREETING = "olá 100% \"x\" 'y' $z 🎉\n2nd line"
FOLDER = "o \"u't %s %(here)s ;x #é \\ d"


@pytest.fixture(scope="session")
def running() -> Iterator[Stack]:
    stack = Stack(
        open_folder() / FOLDER,
        api_port=11410,
        secrets_delivery="file",
        db_app_user="tasks_app",
        cache_user="tasks_api",
        **SECRETS,
        api_environment={"GREETING": GREETING},
    )
    stack.render()
    try:
        outcome = stack.start()
        assert outcome.started == ["banco-dados", "cache-redis", "api-web"]
        stack.first_log = stack.folder.log("banco-dados").read_text(encoding="utf-8")
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The session's environment, started and healthy whatever the test before did to it."""
    running.start()
    return running


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Stack]:
    """Another environment, rendered and not started; dev's own way to deliver secrets."""
    stack = Stack(tmp_path / "out", api_port=11420)
    stack.render()
    try:
        yield stack
    finally:
        stack.stop()
