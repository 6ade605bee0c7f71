"""A package index that wants a password gets it, and nobody else sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stack.package_index import package_index
from tests.support.project import Project, like_dev, tree

pytestmark = pytest.mark.docker
PASSWORD = "swordfish-4815"


def test_a_build_gives_the_index_its_password_and_shows_it_nowhere(
    project: Project, tmp_path: Path
) -> None:
    requirements = project.folder / "app/api/requirements.txt"
    with requirements.open("a", encoding="utf-8") as file:
        file.write("# another content, so that no builder remembers this step\n")
    project.environment(
        "swindex",
        f"api_port: 21790\n{like_dev('admin123')}",
    )
    with package_index(tmp_path) as index:
        url = f"https://buyer:{PASSWORD}@{index.address}/simple"
        project.write("settings.json", f'{{"build_pip_index_url": "{url}"}}')
        shown = ("-e", "stack_runtime=compose", "-e", f"build_ca_bundle={index.certificate}")
        inventory = ("-i", "inventories/swindex.yml", "-e", "@settings.json", "-vvv", "--diff")
        rendered = project.run(*inventory, *shown, "playbooks/render.yml")
        built = project.run(*inventory, *shown, "playbooks/build.yml")
    assert rendered.returncode == 0, rendered.output
    assert built.returncode != 0
    assert "No matching distribution found" in built.output
    assert set(index.users) == {f"buyer:{PASSWORD}"}
    for said in (rendered.output, built.output):
        assert PASSWORD not in said
    holding = [
        path
        for path, content in tree(project.output("swindex")).items()
        if PASSWORD.encode() in content
    ]
    assert holding == ["secrets/pip_index_url"]
