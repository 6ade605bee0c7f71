"""What tests of all folders share."""

from __future__ import annotations

from pathlib import Path

import pytest
from stackwright.engine import probe_engine

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


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project, copied for one test."""
    return Project(tmp_path / "project")


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, copied once for a module whose tests each add environments of their own."""
    return Project(tmp_path_factory.mktemp("shared") / "project")
