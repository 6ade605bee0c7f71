"""The schema file turned into settings."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator
from stackwright import layout
from stackwright.settings.schema import load_schema, parse_schema


def test_an_entry_becomes_a_setting_whose_rule_is_plain_json_schema() -> None:
    entry = {
        "meaning": "A time.",
        "unit": "seconds",
        "secret": True,
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
    }
    setting = parse_schema({"stack": {"some_seconds": entry}})["some_seconds"]
    assert (setting.section, setting.meaning, setting.unit, setting.secret) == (
        "stack",
        "A time.",
        "seconds",
        True,
    )
    assert setting.rule == {"type": "integer", "minimum": 1, "maximum": 9}


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({"enum": ["auto", "embedded"]}, "one of auto, embedded"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number from 1 to 9"),
        ({"type": "number", "minimum": 0.01, "maximum": 64}, "a number from 0.01 to 64"),
        ({"type": "string", "allowed": "a name"}, "a name"),
    ],
)
def test_the_allowed_form_is_said_in_words(rule: dict[str, object], allowed: str) -> None:
    setting = parse_schema({"stack": {"x": {"meaning": "X.", **rule}}})["x"]
    assert setting.allowed == allowed


def test_a_setting_without_meaning_is_no_setting() -> None:
    with pytest.raises(KeyError, match="meaning"):
        parse_schema({"stack": {"x": {"type": "boolean"}}})


def test_every_rule_of_the_shipped_schema_is_valid_json_schema() -> None:
    settings = load_schema(layout.SCHEMA_FILE)
    assert [name for name, setting in settings.items() if setting.secret] == [
        "db_password",
        "db_app_password",
        "db_backup_password",
        "db_monitor_password",
        "cache_password",
        "api_token_NAME",
    ]
    for setting in settings.values():
        Draft202012Validator.check_schema(setting.rule)


def test_every_text_setting_says_its_form_itself() -> None:
    for setting in load_schema(layout.SCHEMA_FILE).values():
        assert setting.allowed, setting.name
        if "pattern" in setting.rule:
            assert setting.rule["pattern"].startswith("^"), setting.name
            assert setting.rule["pattern"].endswith("$"), setting.name
