"""What tests of all folders share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stackwright.runtimes.compose.engine import probe_engine
from stackwright.runtimes.embedded.staging import ROOT, remove_staging

from tests.support.project import Project


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a Docker engine where none answers, with the one reason."""
    marked = [item for item in items if item.get_closest_marker("docker")]
    engine = probe_engine() if marked else None
    if engine and not engine.usable:
        for item in marked:
            item.add_marker(
                pytest.mark.skip(reason=f"needs a Docker engine with Compose v2: {engine.reason}")
            )


@pytest.fixture(scope="session", autouse=True)
def _nothing_stays_staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """As root, data of embedded environments in pytest's folders, which are closed, are kept in a folder of the system."""
    yield
    for link in ROOT.glob("*/environment"):
        if link.readlink().is_relative_to(tmp_path_factory.getbasetemp()):
            remove_staging(link.readlink())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project, copied for one test."""
    return Project(tmp_path / "project")


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, copied once for a module whose tests each add environments of their own."""
    return Project(tmp_path_factory.mktemp("shared") / "project")
