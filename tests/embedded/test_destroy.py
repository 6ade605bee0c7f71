"""An environment of local processes is listed and removed, whatever is left of it; its data only with a second word."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from stackwright import layout
from stackwright.runtimes.embedded.folder import Folder
from stackwright.runtimes.embedded.lifecycle import start, stop
from stackwright.runtimes.embedded.staging import staging_folder

from tests.embedded.stacks import PLAYBOOK, SECONDS, lives

NAME = "swgone"
SETTINGS = {
    "stack_runtime": "embedded",
    "base_images": "registry",
    "api_port": 11440,
    "stack_project": "swtest-swgone",
}


class Gone:
    """An environment in a folder of the test's, run from this checkout."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = Folder(output / "embedded")

    def play(self, *words: str, inventory: str = "inventories/dev.yml") -> tuple[int, str]:
        """A playbook's exit code and output."""
        settings = {**SETTINGS, "stack_output_dir": str(self.output)}
        given = [word for item in settings.items() for word in ("-e", "=".join(map(str, item)))]
        done = subprocess.run(
            [PLAYBOOK, "-i", inventory, *given, *words],
            cwd=layout.PROJECT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def destroy(self, *words: str, **options: str) -> tuple[int, str]:
        return self.play("playbooks/destroy.yml", *words, **options)

    def supervisord(self) -> int:
        return int((self.folder.run / "supervisord.pid").read_text())


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[Gone]:
    """Rendered and running."""
    found = Gone(tmp_path / "out")
    code, said = found.play("playbooks/render.yml")
    assert code == 0, said
    start(found.folder, SECONDS)
    try:
        yield found
    finally:
        stop(found.folder, SECONDS)


def test_nothing_goes_unconfirmed_and_data_only_with_a_second_word(gone: Gone) -> None:
    (gone.output / "mine").write_text("not rendered", encoding="utf-8")
    pid = gone.supervisord()
    for words in ((), ("-e", "destroy_data=dev"), ("-e", "destroy_confirm=prod")):
        code, said = gone.destroy(*words)
        assert code != 0
        assert "othing was removed" in said
        assert lives(pid)
    code, said = gone.destroy("-e", "destroy_confirm=dev", "--check")
    assert code == 0, said
    assert lives(pid)

    code, said = gone.destroy("-e", "destroy_confirm=dev")
    assert code == 0, said
    assert f"supervisord (pid {pid})" in said
    assert f"data        {gone.folder.data}" in said
    assert "DATA=dev" in said
    assert not lives(pid)
    left = {str(path.relative_to(gone.output)) for path in gone.output.rglob("*")}
    assert {path for path in left if not path.startswith("embedded/data/")} == {
        "mine",
        "embedded",
        "embedded/data",
    }
    assert (gone.folder.data / "postgres/PG_VERSION").is_file()

    code, said = gone.destroy("-e", "destroy_confirm=dev")
    assert (code, "nothing to remove" in said) == (0, True), said
    code, said = gone.destroy("-e", "destroy_confirm=dev", "-e", "destroy_data=dev")
    assert code == 0, said
    assert [path.name for path in gone.output.iterdir()] == ["mine"]
    code, said = gone.destroy("-e", "destroy_confirm=dev", "-e", "destroy_data=dev")
    assert (code, "nothing is left of dev" in said) == (0, True), said


def test_data_kept_outside_of_a_closed_folder_go_with_the_second_word_only(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root runs processes as somebody else")
    found = Gone(tmp_path / "out")
    tmp_path.chmod(0o700)
    code, said = found.play("playbooks/render.yml")
    assert code == 0, said
    start(found.folder, SECONDS)
    staged = staging_folder(found.output)
    assert (staged / "data/postgres/PG_VERSION").is_file()
    code, said = found.destroy("-e", "destroy_confirm=dev")
    assert (code, str(staged / "data") in said) == (0, True), said
    assert [path.name for path in staged.iterdir() if path.name in ("code", "secrets")] == []
    assert (staged / "data/postgres/PG_VERSION").is_file()
    code, said = found.destroy("-e", "destroy_confirm=dev", "-e", "destroy_data=dev")
    assert code == 0, said
    assert not staged.exists()
    assert not found.output.exists()


def test_processes_are_found_when_folder_and_inventory_are_gone(gone: Gone) -> None:
    pid = gone.supervisord()
    shutil.rmtree(gone.output)
    code, said = gone.destroy(
        "-e",
        f"destroy_environment={NAME}",
        "-e",
        f"destroy_confirm={NAME}",
        inventory="inventories",
    )
    assert code == 0, said
    assert f"supervisord (pid {pid})" in said
    assert not lives(pid)


def test_an_engine_that_cannot_be_asked_is_unknown_and_an_error(tmp_path: Path) -> None:
    client = tmp_path / "bin/docker"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    client.chmod(0o755)
    found = Gone(tmp_path / "out")
    words = ("-e", "destroy_confirm=dev")
    path = f"{client.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [PLAYBOOK, "-i", "inventories/dev.yml", "-e", f"stack_output_dir={found.output}", "playbooks/destroy.yml", *words],
        cwd=layout.PROJECT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    said = (
        "unknown     containers, networks, images and volumes: Cannot connect to the Docker daemon"
    )
    assert said in done.stdout


def test_a_manifest_that_leads_elsewhere_removes_nothing(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("somebody's", encoding="utf-8")
    found = Gone(tmp_path / "out")
    found.output.mkdir()
    (found.output / "manifest.json").write_text(
        '{"project": "x", "files": {"../precious": "0"}}', encoding="utf-8"
    )
    code, said = found.destroy("-e", "destroy_confirm=dev")
    assert code != 0
    assert "manifest.json: names '../precious', which is not below its folder" in said
    assert precious.exists()
