"""Every bad setting is refused by itself, named with file and line, with a reason and a fix, without its value."""

from __future__ import annotations

from pathlib import Path

import pytest
from stackwright.settings.problems import RefusedError
from stackwright.settings.resolve import Resolution

from tests.render.bad_settings import CASES, FINE, Case
from tests.support.project import ROOT, inventory_of
from tests.support.resolving import look


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resolution]:
    """One environment per case, all looked at once."""
    folder = tmp_path_factory.mktemp("inventories")
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    group_vars = folder / "group_vars"
    group_vars.mkdir()
    (group_vars / "all").symlink_to(ROOT / "inventories/group_vars/all")
    for case in CASES:
        _write_environment(group_vars / case.name, case.settings)
    _write_environment(group_vars / "fine", "")
    (folder / "all.yml").write_text(inventory_of([*names, "fine"]), encoding="utf-8")
    return look(folder / "all.yml")


def _write_environment(folder: Path, settings: str) -> None:
    folder.mkdir()
    (folder / "fine.yml").write_text(FINE, encoding="utf-8")
    (folder / "main.yml").write_text(f"---\n{settings}\n", encoding="utf-8")


def test_the_environment_beside_the_cases_is_fine(seen: dict[str, Resolution]) -> None:
    assert seen["fine"].problems == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_setting_is_refused_with_name_place_reason_and_fix(
    case: Case, seen: dict[str, Resolution]
) -> None:
    problems = [problem for problem in seen[case.name].problems if problem.setting == case.setting]
    said = str(RefusedError(case.name, seen[case.name].problems))
    assert problems, said
    assert any(case.reason in problem.reason and case.fix in problem.fix for problem in problems), (
        said
    )
    assert said.startswith(f"environment {case.name}: ")
    assert "nothing was written" in said
    if case.value:
        assert case.value not in said


ONE_LINE = [case for case in CASES if "\n" not in case.settings and "." not in case.setting]


@pytest.mark.parametrize("case", ONE_LINE, ids=lambda case: case.name)
def test_only_the_bad_setting_is_named(case: Case, seen: dict[str, Resolution]) -> None:
    named = {problem.root for problem in seen[case.name].problems}
    assert named == {case.setting}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.settings.startswith(f"{case.setting.partition('.')[0]}:")],
    ids=lambda case: case.name,
)
def test_the_place_is_file_and_line(case: Case, seen: dict[str, Resolution]) -> None:
    places = {
        problem.where for problem in seen[case.name].problems if problem.setting == case.setting
    }
    assert len(places) == 1
    assert places.pop().endswith(f"group_vars/{case.name}/main.yml:2")
