"""Values against the schema; the table of refusals is in tests/render/bad_settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stackwright.settings.sources import Sources
from stackwright.settings.validation import (
    check_values,
    coerce_command_line,
    texts_in,
    unknown_settings,
)

from tests.support.records import settings_in

SCHEMA = settings_in("""
# @schema {type: integer, minimum: 1, maximum: 9}
port: 1
# @schema {type: number, minimum: 0, maximum: 9}
share: 1
# @schema {type: boolean}
strict: true
# @schema {type: string, pattern: '^[a-z$]*$', allowed: letters}
name: a
# @schema {type: string, secret: true, allowed: text}
key: "{{ vault_key }}"
# @schema {type: object, propertyNames: {pattern: '^[a-z]+$'}, additionalProperties: {type: string},
# @schema  allowed: texts by name}
labels: {}
# @schema {type: intger, allowed: nothing that anybody could say}
odd: 1
# @schema {type: object, each: labels, secret: true, additionalProperties: {type: string}, allowed: texts by name}
label_secrets: "{{ vault_label_secrets }}"
""")
NOWHERE = Sources(Path("/nowhere/shop.yml"), "shop", "shop-host", set(), Path("/nowhere"))


def reasons(**values: Any) -> list[str]:
    return [
        f"{problem.setting} {problem.reason}" for problem in check_values(SCHEMA, values, NOWHERE)
    ]


@pytest.mark.parametrize(
    "values",
    [
        {
            "port": 1,
            "share": 0.5,
            "strict": False,
            "name": "a$",
            "key": "k",
            "labels": {"a": "b\n\x01"},
        },
        {"share": 1, "name": "", "labels": {}},
    ],
)
def test_good_values_pass(values: dict[str, Any]) -> None:
    assert reasons(**values) == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("port", True, "port is yes/no where integer is needed"),
        ("port", 3.0, "port is a number where integer is needed"),
        ("port", 10**30, "port is too large"),
        ("share", float("nan"), "share is no finite number"),
        ("strict", 1, "strict is a number where boolean is needed"),
        ("name", "abc\n", "name has a form that is not allowed"),
        ("key", "a\tb", "key contains a control character"),
        ("key", "\ud800", "key contains half of a surrogate pair, which is no Unicode text"),
        ("labels", {"a": "\0"}, "labels contains a NUL character"),
        ("labels", {"a\n  b": "x"}, "labels has the key 'a\\n  b', of a form that is not allowed"),
        ("labels", {"a": {"b": 1}}, "labels.a is a mapping where string is needed"),
        (
            "labels",
            {None: "x"},
            "labels has a key that YAML does not read as text (quote it, or take another word)",
        ),
    ],
)
def test_a_bad_value_has_one_reason(name: str, value: Any, reason: str) -> None:
    assert reasons(**{name: value}) == [reason]


def test_a_rule_that_is_no_json_schema_is_named_with_its_file() -> None:
    (problem,) = check_values(SCHEMA, {"odd": 1}, NOWHERE)
    assert problem.reason == "has a rule that is no JSON Schema (UnknownType)"
    assert problem.where == "inventories/group_vars/all/shop.yml"


def test_each_secret_that_a_mapping_lacks_is_named_with_the_command_that_makes_it() -> None:
    values = {"labels": {"a": "x", "b": "y"}, "label_secrets": {"b": "z"}}
    (problem,) = check_values(SCHEMA, values, NOWHERE)
    assert (problem.setting, problem.reason) == ("label_secrets.a", "is missing")
    assert "`make secrets ENV=shop` generates one" in problem.fix


def test_a_key_cannot_break_the_message() -> None:
    (reason,) = reasons(labels={"evil\n  - other: fine\x1b[2J": 1, "a": "b"})[:1]
    assert len(reason.splitlines()) == 1
    assert "\x1b" not in reason


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "7", 7),
        ("port", "-7", -7),
        ("port", "07", "07"),
        ("port", "7.0", "7.0"),
        ("port", " 7", " 7"),
        ("port", "٧", "٧"),
        ("share", "0.5", 0.5),
        ("share", "1e3", "1e3"),
        ("share", "nan", "nan"),
        ("strict", "TRUE", True),
        ("strict", "yes", "yes"),
        ("name", "7", "7"),
        ("labels", "{}", "{}"),
        ("port", None, None),
    ],
)
def test_the_command_lines_text_becomes_only_what_it_spells_plainly(
    name: str, text: Any, value: Any
) -> None:
    coerced = coerce_command_line(SCHEMA[name], text)
    assert coerced == value
    assert type(coerced) is type(value)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("prot", "did you mean port?"),
        ("labls", "did you mean labels?"),
        ("zzz", "remove it, or add it to inventories/group_vars/all"),
    ],
)
def test_an_unknown_name_gets_the_likely_one(name: str, fix: str) -> None:
    (problem,) = unknown_settings(SCHEMA, [name], NOWHERE)
    assert (problem.setting, problem.reason) == (name, "is no setting")
    assert problem.fix.startswith(fix)


def test_all_texts_of_a_value_are_found_and_nothing_else() -> None:
    assert list(texts_in({"a": ["b", 1, {"c": None}], "d": "e"})) == ["a", "b", "c", "d", "e"]
