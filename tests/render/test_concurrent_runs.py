"""Several runs on one environment at the same time: one after the other, each as if it were alone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stackwright.output.run_lock import Holder, RunLock

from tests.support.project import Project, Run, like_dev

SETTINGS = ("-e", "base_images=registry", "-e", "stack_runtime=embedded")
RENDER = "playbooks/render.yml"
SOMEBODY = Holder(4711, "ann", "ansible-playbook site.yml", "2026-01-31 12:00:00")
RUNS = 4


def locked(project: Project, environment: str) -> RunLock:
    """The lock of a run that somebody else has begun."""
    file = project.folder / "playbooks/module_utils/stackwright/output/__init__.py"
    lock = RunLock(file, project.folder / "generated")
    lock.take([environment], SOMEBODY, print)
    return lock


def test_renderings_of_one_environment_do_not_disturb_each_other(project: Project) -> None:
    def render(number: int) -> Run:
        return project.run(RENDER, *SETTINGS, "-e", f"api_port={5030 + number}")

    for _ in range(2):
        with ThreadPoolExecutor(RUNS) as pool:
            runs = list(pool.map(render, range(RUNS)))
        assert [run.output for run in runs if run.returncode] == []
    assert project.render(*SETTINGS).returncode == 0
    assert project.render(*SETTINGS).results["dev-host"]["changed"] is False


def test_who_waits_says_for_whom_and_who_looks_ahead_does_not_wait(project: Project) -> None:
    lock = locked(project, "dev")
    assert project.render(*SETTINGS, "--check").returncode == 0
    waiting = subprocess.Popen(
        [Path(sys.executable).with_name("ansible-playbook"), RENDER, *SETTINGS],
        cwd=project.folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert waiting.stderr is not None
    assert waiting.stderr.readline() == f"  waiting for {SOMEBODY}, which works on dev\n"
    assert not project.output("dev").exists()
    lock.release()
    waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert project.output("dev").exists()


def test_runs_on_other_environments_do_not_wait(project: Project) -> None:
    lock = locked(project, "dev")
    project.environment("other", f"api_port: 5200\n{like_dev('another')}")
    run = project.render("-i", "inventories/other.yml", *SETTINGS)
    assert run.returncode == 0, run.output
    lock.release()


def test_a_run_is_known_without_its_variables(project: Project) -> None:
    assert project.render(*SETTINGS, "-e", "db_password=not-to-be-seen").returncode == 0
    note = (project.folder / "generated/.dev.run.json").read_text(encoding="utf-8")
    assert "not-to-be-seen" not in note
    assert '"command": "ansible-playbook -i inventories/dev.yml playbooks/render.yml"' in note
