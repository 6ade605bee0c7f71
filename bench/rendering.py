"""How rendering grows: 1, 10 and 100 environments in one call of ``playbooks/render.yml``."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.plays import SETTINGS, play
from bench.report import Figure, Report
from tests.support.project import Project, inventory_of

COUNTS = (1, 10, 100)
AIM_EACH = 0.15
FIRST_PORT = 21600
INVENTORY = "many"
# Explicit, so that the same is rendered with and without an engine.
FIXED = "base_images: registry\nstack_runtime: embedded\n"


def project_with(folder: Path, count: int) -> Project:
    """A copy of the project whose inventory ``many`` has ``count`` environments, each with settings of its own."""
    project = Project(folder)
    names = [f"e{number:03d}" for number in range(count)]
    for number, name in enumerate(names):
        port = f"api_port: {FIRST_PORT + number}\n"
        project.write(f"inventories/group_vars/{name}/main.yml", f"---\n{port}{SETTINGS}{FIXED}")
    project.write(f"inventories/{INVENTORY}.yml", inventory_of(names))
    return project


def measure(folder: Path, rounds: int, report: Report) -> None:
    """First and unchanged rendering, ``rounds`` times each."""
    first: dict[int, list[float]] = {count: [] for count in COUNTS}
    again: dict[int, list[float]] = {count: [] for count in COUNTS}
    projects = {count: project_with(folder / str(count), count) for count in COUNTS}
    for _ in range(rounds):
        for count, project in projects.items():
            shutil.rmtree(project.folder / "generated", ignore_errors=True)
            first[count].append(play(project, INVENTORY, "playbooks/render.yml"))
            again[count].append(play(project, INVENTORY, "playbooks/render.yml", noop=True))
    for count in COUNTS:
        for kind, seconds in (("first", first[count]), ("unchanged", again[count])):
            what = f"render {count} environment{'s' if count > 1 else ''}, {kind}"
            report.add(Figure(what, seconds))
            if count > 1:
                each = [value / count for value in seconds]
                aim = AIM_EACH if count == max(COUNTS) else None
                report.add(Figure("  per environment", each, aim, "s each"))
