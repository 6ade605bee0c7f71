"""What pages and playbooks say of each other and of files is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from stackwright import layout

from tests.support.project import Project

PLAYBOOKS = sorted((layout.PROJECT / "playbooks").glob("*.yml"))
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{path.name}" for path in sorted(layout.PROJECT.glob("docs/*.md"))),
]
# Where files are that pages name by their path.
FOLDERS = "app|bench|docs|inventories/group_vars/all|playbooks|templates|tests"


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_says_what_it_does_and_is_in_the_makefile(playbook: Path) -> None:
    lines = playbook.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "---"
    assert lines[1].startswith("# ")
    assert f"playbooks/{playbook.name}" in (layout.PROJECT / "Makefile").read_text(encoding="utf-8")


def test_the_readme_stays_short() -> None:
    assert len((layout.PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_what_ci_types_is_in_the_readme() -> None:
    script = (layout.PROJECT / ".ci/run").read_text(encoding="utf-8")
    readme = (layout.PROJECT / "README.md").read_text(encoding="utf-8")
    packages = re.findall(r"(?m)^apt-get -qq install ([a-z0-9 -]+[a-z0-9])", script)
    commands = re.findall(r"(?m)^make [a-z-]+$", script)
    assert packages
    assert commands
    assert [text for text in (*packages, *commands) if text not in readme] == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_only_make_targets_that_exist(page: str) -> None:
    makefile = (layout.PROJECT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"(?m)(?:`|^)(?:sudo )?make ([a-z-]+)", _text(page))
    assert set(named) <= set(re.findall(r"(?m)^([a-z-]+):", makefile))


@pytest.mark.parametrize("page", PAGES)
def test_links_of_pages_lead_to_files_and_headings(page: str) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (layout.PROJECT / page).parent / path if path else layout.PROJECT / page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES)
def test_files_and_tests_that_pages_name_exist(page: str) -> None:
    missing = []
    for path, test in re.findall(rf"(?:`|^|\s)((?:{FOLDERS})/[\w./-]+)(?:::(\w+))?", _text(page)):
        target = layout.PROJECT / path.rstrip(".")
        if not target.exists() or (test and f"def {test}(" not in target.read_text("utf-8")):
            missing.append(f"{path}::{test}" if test else path)
    assert not missing


def _text(page: str) -> str:
    return (layout.PROJECT / page).read_text(encoding="utf-8")


def _prose(page: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"(?ms)^```.*?^```$", "", _text(page))


def _anchors(path: Path) -> set[str]:
    """What the headings of a page are called in links, by GitHub's rule."""
    headings = re.findall(r"(?m)^#+ (.+)$", _prose(str(path.relative_to(layout.PROJECT))))
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings}


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
