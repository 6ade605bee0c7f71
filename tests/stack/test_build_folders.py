"""What the builder really sees of a build folder is covered by the hash that names the image."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from stackwright.images.content_hash import input_files

from tests.stack.containers import docker, new_name
from tests.support.project import ROOT

pytestmark = pytest.mark.docker

JUNK = (
    "__pycache__/a.pyc", ".mypy_cache/a.json", ".ruff_cache/a", ".pytest_cache/a", "x.egg-info/a",
    "a.py~", ".a.py.swp", "#a.py#", ".#a.py", "a.bak", "a.orig", "a.pyc",
)  # fmt: skip


def _sent_to_the_builder(context: Path, compose: Path) -> set[str]:
    """Every file of a build folder that COPY can see, by its path below the folder."""
    image = new_name()
    recipe = 'FROM scratch\nCOPY . /sent/\nCMD ["none"]\n'
    build = {"context": str(context), "dockerfile_inline": recipe}
    compose.write_text(json.dumps({"services": {"one": {"image": image, "build": build}}}))
    done = subprocess.run(
        ["docker", "compose", "--file", compose, "--project-name", image, "build"],
        env={**os.environ, "DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    try:
        docker("create", "--name", image, image)
        archive = compose.with_name("image.tar")
        docker("export", "--output", str(archive), image)
    finally:
        docker("rm", image, check=False)
        docker("rmi", image, check=False)
    with tarfile.open(archive) as files:
        names = [file.name for file in files if file.isfile()]
    return {name.removeprefix("sent/") for name in names if name.startswith("sent/")}


@pytest.mark.parametrize("name", ["api", "database"])
def test_every_file_a_build_sees_is_in_its_hash(name: str, tmp_path: Path) -> None:
    context = tmp_path / "context"
    shutil.copytree(ROOT / "app" / name, context)
    places = {path.parent for path in input_files(context)}
    for place in places:
        for junk in JUNK:
            (place / junk).parent.mkdir(exist_ok=True)
            (place / junk).write_text("x", encoding="utf-8")
    sent = _sent_to_the_builder(context, tmp_path / "docker-compose.yml")
    hashed = {str(path.relative_to(context)) for path in input_files(context)}
    assert sent <= hashed
    assert len(sent) > 4
