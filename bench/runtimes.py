"""Cold start and no-op of both runtimes, Compose beside bare ``docker compose up`` on the same folder."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from functools import partial
from pathlib import Path

from stackwright.runtimes.compose.engine import images_present, probe_engine

from bench.plays import SETTINGS, docker, play
from bench.report import Figure, Report, ratio
from tests.support.project import Project

EMBEDDED, COMPOSE = "benche", "benchc"
EMBEDDED_PORT, COMPOSE_PORT = 21610, 21620
AIMS = {"embedded cold": 20.0, "embedded no-op": 6.0, "compose no-op": 8.0}

Times = defaultdict[str, list[float]]


def _project(folder: Path, name: str, runtime: str, port: int) -> Project:
    project = Project(folder)
    project.environment(name, f"api_port: {port}\nstack_runtime: {runtime}\n{SETTINGS}")
    return project


def _unchanged(project: Project, name: str, times: Times) -> None:
    """``site.yml`` twice and ``start.yml`` once on what runs already."""
    for _ in range(2):
        times["no-op"].append(play(project, name, "site.yml", noop=True))
    times["start"].append(play(project, name, "playbooks/start.yml", noop=True))


def measure_embedded(folder: Path, rounds: int, report: Report) -> None:
    """Start in an empty output folder, then unchanged; stopped and removed after each round."""
    project = _project(folder, EMBEDDED, "embedded", EMBEDDED_PORT)
    times: Times = defaultdict(list)
    for _ in range(rounds):
        try:
            times["cold"].append(play(project, EMBEDDED, "site.yml"))
            _unchanged(project, EMBEDDED, times)
        finally:
            if project.output(EMBEDDED).exists():
                play(project, EMBEDDED, "playbooks/stop.yml")
                shutil.rmtree(project.output(EMBEDDED))
    report.add(
        Figure("embedded, cold start: site.yml", times["cold"], AIMS["embedded cold"]),
        Figure("embedded, no-op: site.yml", times["no-op"], AIMS["embedded no-op"]),
        Figure("embedded, no-op: start.yml alone", times["start"]),
    )


def _clear(output: Path) -> None:
    """Containers, network and volume go, rendered files and images stay."""
    docker("compose", "down", "--volumes", "--remove-orphans", "--timeout", "10", cwd=output)


def _bare(output: Path, times: Times) -> None:
    up = ("compose", "up", "--detach", "--wait")
    times["bare cold"].append(docker(*up, cwd=output))
    times["bare no-op"] += [docker(*up, cwd=output) for _ in range(2)]


def _ours(project: Project, times: Times) -> None:
    times["cold"].append(play(project, COMPOSE, "site.yml"))
    _unchanged(project, COMPOSE, times)


def _remove_images(output: Path) -> None:
    """Our own images of this environment, as far as they were built; base images stay."""
    images = json.loads((output / "manifest.json").read_text(encoding="utf-8"))["images"]
    own = [image["reference"] for image in images.values() if image["context"]]
    for reference in images_present(own):
        docker("image", "rm", reference, cwd=output)


def measure_compose(folder: Path, rounds: int, report: Report) -> None:
    """Start without containers or volume, then unchanged, in turn with bare Compose; everything removed at the end."""
    engine = probe_engine()
    if not engine.usable:
        report.note(f"compose: not measured, {engine.reason}")
        return
    project = _project(folder, COMPOSE, "compose", COMPOSE_PORT)
    output = project.output(COMPOSE)
    times: Times = defaultdict(list)
    play(project, COMPOSE, "playbooks/render.yml")
    try:
        report.note(
            f"compose: images built beforehand in {play(project, COMPOSE, 'playbooks/build.yml'):.1f} s"
        )
        for number in range(rounds):
            runs = [partial(_ours, project, times), partial(_bare, output, times)]
            for run in runs if number % 2 == 0 else runs[::-1]:
                _clear(output)
                run()
    finally:
        try:
            _clear(output)
        finally:
            _remove_images(output)
    cold = Figure("compose, cold start: site.yml", times["cold"])
    noop = Figure("compose, no-op: site.yml", times["no-op"], AIMS["compose no-op"])
    bare_cold = Figure("bare docker compose up, cold start", times["bare cold"])
    bare_noop = Figure("bare docker compose up, no-op", times["bare no-op"])
    start = Figure("compose, no-op: start.yml alone", times["start"])
    report.add(cold, bare_cold, ratio("cold start, ours / bare", cold, bare_cold))
    report.add(noop, start, bare_noop, ratio("no-op, ours / bare", noop, bare_noop))
