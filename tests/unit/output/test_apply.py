"""A diff is complete and shows no secret, neither the old one nor the new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stackwright.output.apply import diff_of
from stackwright.output.plan import plan_tree
from stackwright.output.write import apply_plan
from stackwright.rendering.files import RenderedFile

from tests.support.composing import rendered
from tests.support.resolving import dev_values

Contents = dict[str, str]


def diffs(
    root: Path, before: Contents, after: Contents, secrets: list[str]
) -> dict[str, tuple[str, str]]:
    """Write one tree, compare with another: (before, after) by path."""
    write(root, before)
    files = {path: RenderedFile(text.encode()) for path, text in after.items()}
    entries = diff_of(plan_tree(root, files, {}), secrets)
    return {
        str(Path(entry["before_header"]).relative_to(root)): (entry["before"], entry["after"])
        for entry in entries
    }


def write(root: Path, contents: Contents) -> None:
    apply_plan(
        plan_tree(root, {path: RenderedFile(text.encode()) for path, text in contents.items()}, {})
    )


def test_new_changed_and_pruned_files_are_shown_and_unchanged_ones_are_not(tmp_path: Path) -> None:
    before = {"same": "1", "changed": "1", "gone": "1"}
    after = {"same": "1", "changed": "2", "new": "2"}
    assert diffs(tmp_path, before, after, []) == {
        "changed": ("1", "2"),
        "new": ("", "2"),
        "gone": ("1", ""),
    }


def test_a_secret_is_masked_wherever_it_stands(tmp_path: Path) -> None:
    shown = diffs(tmp_path, {}, {"file": "url: db://me:hunter22@db\nhunter22\n"}, ["hunter22", ""])
    assert shown["file"][1] == "url: db://me:********@db\n********\n"


def test_a_changed_password_is_seen_to_change_and_neither_is_shown(tmp_path: Path) -> None:
    before, after = "A=1\nDB_PASSWORD=old-one\n", "A=1\nDB_PASSWORD='new one'\n"
    shown = diffs(tmp_path, {"env/api.env": before}, {"env/api.env": after}, ["new one"])[
        "env/api.env"
    ]
    assert shown == ("A=1\nDB_PASSWORD=******** (before)\n", "A=1\nDB_PASSWORD=******** (after)\n")


def test_a_password_that_stays_is_masked_without_looking_changed(tmp_path: Path) -> None:
    before, after = "A=1\nDB_PASSWORD=old-one\n", "A=2\nDB_PASSWORD=old-one\n"
    shown = diffs(tmp_path, {"e": before}, {"e": after}, ["old-one"])["e"]
    assert shown == ("A=1\nDB_PASSWORD=********\n", "A=2\nDB_PASSWORD=********\n")


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "POSTGRES_PASSWORD", "API_TOKEN", "SESSION_SECRET"]
)
@pytest.mark.parametrize("old", ["hunter22", "hunter22_FILE", "'hunter22 #\\x'", '"hunter22\\$x"'])
def test_an_old_secret_is_masked_by_its_place(name: str, old: str, tmp_path: Path) -> None:
    for line in (f"{name}={old}", f"  {name}: {old}", f'"{name}": {json.dumps(old)}'):
        shown = diffs(tmp_path, {"e": f"{line}\n"}, {"e": "nothing\n"}, [])["e"]
        assert "hunter22" not in shown[0]
        assert name in shown[0]


def test_the_path_of_a_secret_file_is_no_secret(tmp_path: Path) -> None:
    line = "DB_PASSWORD_FILE=/run/secrets/db_password\n"
    assert diffs(tmp_path, {}, {"e": line}, ["x-y-z"])["e"] == ("", line)


def test_a_secret_file_shows_only_that_it_changes(tmp_path: Path) -> None:
    assert diffs(tmp_path, {"secrets/api/key": "old"}, {"secrets/api/key": "new"}, ["new"]) == {
        "secrets/api/key": ("******** (before)\n", "******** (after)\n")
    }


def test_another_mode_is_shown(tmp_path: Path) -> None:
    write(tmp_path, {"file": "1"})
    entries = diff_of(plan_tree(tmp_path, {"file": RenderedFile(b"1", 0o600)}, {}), [])
    assert [(entry["before"][:9], entry["after"][:9]) for entry in entries] == [
        ("mode 0644", "mode 0600")
    ]


@pytest.mark.parametrize(
    "old", ["first-password", "with'quote", 'with"quote', "with\\backslash", "p$w{}#"]
)
@pytest.mark.parametrize("new", ["second-password", "other'quote\\", "dollar$$ 'x"])
def test_the_real_files_show_neither_password(old: str, new: str, tmp_path: Path) -> None:
    apply_plan(plan_tree(tmp_path, rendered(dev_values(db_password=old)), {}))
    coming = plan_tree(tmp_path, rendered(dev_values(db_password=new, api_port=5044)), {})
    shown = json.dumps(diff_of(coming, [new]), ensure_ascii=False)
    for word in (old, new):
        assert word not in shown
        assert word[:8] not in shown
    assert "5044" in shown
