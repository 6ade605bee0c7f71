"""The application of tests/applications in a copy of the project, as an environment runs it instead of the tasks API."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.support.project import ROOT, Project

FOLDER = "tests/applications/notes"
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / FOLDER / "settings.yml").read_text("utf-8"))
PROOFS = [check["name"] for check in SETTINGS["app_checks"]]
# The row of a summary, and what no other application than the tasks API is asked.
SUMMARY = f"application {FOLDER}"
OF_TASKS = {"schema", "seed", "cache", "create", "update", "delete", "ttl", "json", "tokens"}


def add_notes(project: Project) -> None:
    """Put the application where its settings say."""
    shutil.copytree(ROOT / FOLDER, project.folder / FOLDER)


def report(output: Path) -> dict[str, Any]:
    """What the last verification wrote."""
    found: dict[str, Any] = json.loads((output / "verify.json").read_text(encoding="utf-8"))
    return found
