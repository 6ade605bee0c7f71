"""Each setting is documented in one place, described in another, and neither says what the other does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from stackwright import layout
from stackwright.settings.schema import Setting, load_schema

from tests.support.resolving import look

DEFAULTS = layout.INVENTORIES / "group_vars/all"
SETTINGS = list(load_schema(layout.SCHEMA_FILE).values())
FILES = sorted(DEFAULTS.iterdir())


def written(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_has_its_default_in_the_file_of_its_section(setting: Setting) -> None:
    assert setting.name in written(DEFAULTS / f"{setting.section}.yml")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_default_is_described_in_the_schema(path: Path) -> None:
    described = {setting.name for setting in SETTINGS if setting.section == path.stem}
    assert set(written(path)) == described


def test_every_section_has_its_file_and_every_file_its_section() -> None:
    assert {path.name for path in FILES} == {f"{setting.section}.yml" for setting in SETTINGS}


def paragraphs(path: Path) -> Iterator[list[str]]:
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line and line != "---"]
        if lines:
            yield lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_default_is_preceded_by_a_comment(path: Path) -> None:
    title, *rest = paragraphs(path)
    assert title[0].startswith("# ")
    named = {line.partition(":")[0] for lines in rest for line in lines if line[0] not in "# "}
    for lines in [title, *rest]:
        if any(line[0] not in "# " for line in lines):
            assert lines[0].startswith("# "), f"{path.name}: no comment above {lines[0]}"
            assert sum(line[0] not in "# " for line in lines) <= 4, (
                f"{path.name}: one comment for too many settings"
            )
    assert named | {line.partition(":")[0] for line in title if line[0] not in "# "} == set(
        written(path)
    )


def keywords(rule: Any) -> Iterator[str]:
    if isinstance(rule, dict):
        for key, value in rule.items():
            yield key
            yield from keywords(value)
    elif isinstance(rule, list):
        for item in rule:
            yield from keywords(item)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_no_default_is_repeated_in_the_schema(setting: Setting) -> None:
    assert "default" not in set(keywords(setting.rule))
    assert "default" not in setting.meaning.lower()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_meaning_is_one_sentence(setting: Setting) -> None:
    assert setting.meaning[0].isupper()
    assert setting.meaning.endswith(".")
    assert "\n" not in setting.meaning


@pytest.mark.parametrize("inventory", ["dev", "prod"])
def test_what_is_shipped_has_every_setting_and_only_prods_secrets_are_left_to_its_owner(
    inventory: str,
) -> None:
    seen = look(layout.INVENTORIES / f"{inventory}.yml")[inventory]
    missing = {setting.name for setting in SETTINGS if not setting.each} - seen.values.keys()
    if inventory == "dev":
        assert (missing, seen.problems) == (set(), [])
    else:
        assert missing <= {setting.name for setting in SETTINGS if setting.secret}


def test_environments_say_only_what_differs() -> None:
    for folder in layout.INVENTORIES.glob("group_vars/*"):
        if folder.name == "all":
            continue
        defaults = {name: value for path in FILES for name, value in written(path).items()}
        for name, value in written(folder / "main.yml").items():
            assert name in defaults
            assert value != defaults[name], f"{folder.name}: {name} repeats the default"
