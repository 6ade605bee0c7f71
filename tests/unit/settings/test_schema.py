"""Every setting is one record: comment, rule and default, and what a record lacks is said in one message."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from stackwright import layout
from stackwright.settings.defaults import first_sentence, read_defaults
from stackwright.settings.schema import Setting, load_schema, read_folder, with_members

from tests.support.records import settings_in
from tests.support.resolving import look

SHIPPED = load_schema(layout.DEFAULTS)
FILES = sorted(layout.DEFAULTS.iterdir())


def written(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def test_a_record_becomes_a_setting_whose_rule_is_plain_json_schema() -> None:
    text = """# A time. Longer is kinder.
# @schema {type: integer, minimum: 1,
# @schema  maximum: 9, unit: seconds, private: true}
some_seconds: 3
"""
    setting = settings_in(text)["some_seconds"]
    assert setting == Setting(
        name="some_seconds",
        section="shop",
        meaning="A time.",
        unit="seconds",
        allowed="a whole number from 1 to 9",
        secret=False,
        rule={"type": "integer", "minimum": 1, "maximum": 9},
        private=True,
    )


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ("enum: [auto, embedded]", "one of auto, embedded"),
        ("type: boolean", "true or false"),
        ("type: integer, minimum: 1, maximum: 9", "a whole number from 1 to 9"),
        ("type: number, minimum: 0.01, maximum: 64", "a number from 0.01 to 64"),
        ("type: string, allowed: a name", "a name"),
    ],
)
def test_the_allowed_form_is_said_in_words(rule: str, allowed: str) -> None:
    assert settings_in(f"# @schema {{{rule}}}\nx: 1\n")["x"].allowed == allowed


def test_a_rule_may_be_another_settings_with_some_words_changed() -> None:
    text = """# @schema {type: integer, minimum: 1, maximum: 9, unit: seats}
seats: 1
# @schema {$ref: seats, maximum: 5}
chairs: 1
# @schema {$ref: chairs}
stools: 1
"""
    settings = settings_in(text)
    for name in ("chairs", "stools"):
        assert settings[name].rule == {"type": "integer", "minimum": 1, "maximum": 5}
        assert settings[name].unit == "seats"


def test_what_a_file_says_of_itself_holds_for_its_settings_unless_they_say_otherwise() -> None:
    text = """# Secrets.
# @schema {type: string, minLength: 1, secret: true, allowed: text}

# One. It opens.
one: "{{ vault_one }}"

# Two. It opens more.
# @schema {minLength: 9, allowed: long text}
two: "{{ vault_two }}"
"""
    one, two = settings_in(text).values()
    assert (one.secret, one.rule["minLength"], one.allowed) == (True, 1, "text")
    assert (two.secret, two.rule["minLength"], two.allowed) == (True, 9, "long text")


def test_what_is_no_setting_needs_no_record() -> None:
    assert list(settings_in("ansible_user: me\nvault_x: y\n_own: z\n")) == []


GOOD = "# Good. It is.\n# @schema {type: boolean}\ngood: true\n"


@pytest.mark.parametrize(
    ("record", "reason", "fix"),
    [
        ("bad: 1", "has no `# @schema {…}` right above it", "such as `# @schema {type: integer"),
        ("# @schema\nbad: 1", "has no `# @schema {…}` right above it", "such as"),
        ("# @schema type\nbad: 1", "has no `# @schema {…}` right above it", "such as"),
        ("# @schema {type: integer\nbad: 1", "cannot be read: did not find expected", "correct it"),
        (
            "# @schema {minimun: 1}\nbad: 1",
            "unknown words in its `# @schema`: minimun",
            "secret, unit",
        ),
        ("# @schema {type: integer}\nbad: 1", "does not say in words", "add `allowed: …`"),
        ("# @schema {type: string}\nbad: a", "does not say in words", "add `allowed: …`"),
        ("# @schema {$ref: nobody}\nbad: 1", "`$ref` that leads nowhere: nobody", "name a setting"),
        ("# @schema {$ref: bad}\nbad: 1", "`$ref` that leads nowhere: bad", "name a setting"),
        ("# @schema {$ref: ../x.yml}\nbad: 1", "leads nowhere: ../x.yml", "playbooks/schemas"),
    ],
)
def test_what_a_record_lacks_is_one_message_with_its_place_and_the_fix(
    record: str, reason: str, fix: str, tmp_path: Path
) -> None:
    file = tmp_path / "shop.yml"
    file.write_text(f"{GOOD}\n# Bad. It is.\n{record}\n\n# @schema {{$ref: bad}}\nlike_it: 1\n")
    found = read_folder(tmp_path)
    (problem,) = found.problems
    assert problem.setting == "bad"
    assert reason in problem.reason
    assert fix in problem.fix
    line = file.read_text().splitlines().index(record.splitlines()[-1]) + 1
    assert problem.where == f"{file}:{line}"
    assert list(found.settings) == ["good", "bad", "like_it"]
    assert not found.settings["bad"].printable


def test_a_setting_in_two_files_is_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yml").write_text(GOOD)
    (problem,) = read_folder(tmp_path).problems
    assert problem.reason == "is in one.yml too"
    assert problem.where == f"{tmp_path}/two.yml:3"


def test_unusable_records_refuse_every_environment_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in FILES:
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "shop.yml").write_text("one: 1\n\n# @schema {\ntwo: 2\n")
    monkeypatch.setattr(layout, "DEFAULTS", tmp_path)
    seen = look(layout.INVENTORIES / "dev.yml")["dev"]
    assert [problem.setting for problem in seen.problems] == ["one", "two"]


def test_members_of_a_mapping_of_secrets_are_secrets_by_themselves() -> None:
    values = {"api_token_secrets": {"ci": "text"}, "api_port": 1}
    schema, known = with_members(SHIPPED, values)
    assert known == {"api_token_ci": "text", "api_port": 1}
    assert schema["api_token_ci"].secret
    assert schema.keys() - SHIPPED.keys() == {"api_token_ci"}


def test_the_shipped_records_are_complete() -> None:
    assert read_folder(layout.DEFAULTS).problems == ()
    assert set(SHIPPED) == {name for path in FILES for name in written(path)}


@pytest.mark.parametrize("setting", SHIPPED.values(), ids=lambda setting: setting.name)
def test_every_shipped_rule_is_valid_json_schema_and_repeats_no_default(setting: Setting) -> None:
    Draft202012Validator.check_schema(setting.rule)
    assert "default" not in setting.rule
    pattern = setting.rule.get("pattern", "^$")
    assert (pattern[0], pattern[-1]) == ("^", "$")
    assert setting.meaning[0].isupper()
    assert setting.meaning.endswith(".")


def test_secrets_are_those_of_the_file_of_secrets() -> None:
    secrets = [name for name, setting in SHIPPED.items() if setting.secret]
    assert secrets == list(written(layout.DEFAULTS / "secrets.yml"))


@functools.cache
def texts(pattern: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in layout.PROJECT.glob(pattern))


def uses(name: str) -> bool:
    """Whether a template, a playbook, the generator or another setting's default names a setting."""
    defaults = {key: value for path in FILES for key, value in written(path).items()}
    places = [str(value) for key, value in defaults.items() if key != name]
    places += map(texts, ("templates/**/*.j2", "playbooks/*.yml", "playbooks/tasks/**/*.yml"))
    if any(re.search(rf"\b{name}\b", text) for text in places):
        return True
    _, _, rest = name.partition("_")  # also f"{kind}_base_image"
    return bool(re.search(rf"[\"']({name}|\{{\w+\}}_{rest})[\"']", texts("playbooks/**/*.py")))


def test_every_setting_is_used() -> None:
    assert [name for name in SHIPPED if not uses(name)] == []
    assert not uses("api_nothing")


@pytest.mark.parametrize("inventory", ["dev", "prod"])
def test_what_is_shipped_has_every_setting_and_only_prods_secrets_are_left_to_its_owner(
    inventory: str,
) -> None:
    seen = look(layout.INVENTORIES / f"{inventory}.yml")[inventory]
    missing = {name for name, setting in SHIPPED.items() if not setting.each} - seen.values.keys()
    if inventory == "dev":
        assert (missing, seen.problems) == (set(), [])
    else:
        assert missing <= {name for name, setting in SHIPPED.items() if setting.secret}


def test_environments_say_only_what_differs() -> None:
    defaults = {name: value for path in FILES for name, value in written(path).items()}
    for folder in layout.INVENTORIES.glob("group_vars/*"):
        if folder.name == "all":
            continue
        for name, value in written(folder / "main.yml").items():
            assert name in defaults
            assert value != defaults[name], f"{folder.name}: {name} repeats the default"


def test_the_first_sentence_ends_at_the_first_full_stop_before_a_space() -> None:
    assert first_sentence("Listens on 127.0.0.1\nonly. Never else.") == "Listens on 127.0.0.1 only."
    assert first_sentence("no stop") == "no stop"


def test_every_shipped_default_is_read_with_its_line() -> None:
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for group in read_defaults(path).groups:
            for default in group.defaults:
                assert lines[default.line - 1].startswith(f"{default.name}:")
