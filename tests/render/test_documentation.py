"""Defaults, schema and documentation belong together: nothing is in one place only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from stackwright import layout
from stackwright.settings.schema import load_schema

from tests.support.project import Project

DEFAULTS = layout.INVENTORIES / "group_vars" / "all"
SECTIONS = sorted({setting.section for setting in load_schema(layout.SCHEMA_FILE).values()})
PLAYBOOKS = sorted((layout.PROJECT / "playbooks").glob("*.yml"))


def defaults_of(section: str) -> dict[str, object]:
    return dict(yaml.safe_load((DEFAULTS / f"{section}.yml").read_text(encoding="utf-8")))


def test_every_section_has_its_file_of_defaults() -> None:
    assert sorted(path.stem for path in DEFAULTS.glob("*.yml")) == SECTIONS


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_has_a_default_and_every_default_is_a_setting(section: str) -> None:
    described = {s.name for s in load_schema(layout.SCHEMA_FILE).values() if s.section == section}
    assert set(defaults_of(section)) == described


@pytest.mark.parametrize("section", SECTIONS)
def test_every_default_is_explained_by_a_comment_above_it(section: str) -> None:
    lines = (DEFAULTS / f"{section}.yml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[a-z_]+:", line):
            above = number - 1
            while re.match(r"[a-z_]+:|  ", lines[above]):  # settings explained together
                above -= 1
            assert lines[above].startswith("#"), line


def test_the_schema_repeats_no_default() -> None:
    assert not [s.name for s in load_schema(layout.SCHEMA_FILE).values() if "default" in s.rule]


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_says_what_it_does_and_is_in_the_makefile(playbook: Path) -> None:
    lines = playbook.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "---"
    assert lines[1].startswith("# ")
    assert f"playbooks/{playbook.name}" in (layout.PROJECT / "Makefile").read_text(encoding="utf-8")


def test_the_readme_names_only_make_targets_that_exist() -> None:
    readme = (layout.PROJECT / "README.md").read_text(encoding="utf-8")
    makefile = (layout.PROJECT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?m)(?:`|^)(?:sudo )?make ([a-z-]+)", readme))
    assert named
    assert named <= set(re.findall(r"(?m)^([a-z-]+):", makefile))


def test_every_make_target_that_plays_is_one_command_without_tricks() -> None:
    makefile = (layout.PROJECT / "Makefile").read_text(encoding="utf-8")
    recipes = re.findall(r"(?m)^([a-z-]+):.* ## .+\n((?:\t.+\n)+)", makefile)
    plays = {target: recipe for target, recipe in recipes if "$(PLAY)" in recipe}
    assert {"up", "down", "render", "verify"} <= plays.keys()
    for target, recipe in plays.items():
        assert re.fullmatch(r"\t\$\(PLAY\) [a-z_/]+\.yml\n", recipe), target


def test_make_docs_writes_the_page_of_settings_anew(project: Project) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "stackwright.settings.page"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": "playbooks/module_utils"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.startswith("docs/settings.md: ")
    written = (project.folder / "docs/settings.md").read_bytes()
    assert written == (layout.PROJECT / "docs/settings.md").read_bytes()


def test_make_refuses_an_environment_without_inventory_and_names_the_others() -> None:
    run = subprocess.run(
        ["make", "--dry-run", "--old-file=.venv/ready", "secrets", "ENV=porduction"],
        cwd=layout.PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode != 0
    assert "there is no inventories/porduction.yml; ENV is one of: dev prod" in run.stderr
