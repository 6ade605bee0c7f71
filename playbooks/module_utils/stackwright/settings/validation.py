"""Check resolved settings against the schema. No message ever contains a value."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import UnknownType, ValidationError

from .problems import Problem, generating, replacing
from .schema import Setting
from .sources import Sources

# -e gives text; a number is what is written as a decimal one.
DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)")
DECIMAL_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
SIZE = re.compile(r"[1-9][0-9]*[kmg]")
UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NOUNS = {
    dict: "a mapping", list: "a list", str: "text", bool: "yes/no", int: "a number", float: "a number",
    type(None): "empty",
}  # fmt: skip


def size_in_bytes(text: str) -> int:
    """``512m`` → 536870912. The form is the schema's: digits and one of k, m, g (powers of 1024)."""
    return int(text[:-1]) * UNITS[text[-1]]


def _pattern(_validator: Any, pattern: str, value: Any, _rule: Any) -> Iterator[ValidationError]:
    """JSON Schema's ``$`` is the very end of a text; Python's also matches before a last line break."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError("has another form")


def _size(least: bool) -> Any:
    """A keyword of ours that bounds a text such as 256m; what has another form, ``pattern`` refuses."""

    def check(_validator: Any, bound: str, value: Any, _rule: Any) -> Iterator[ValidationError]:
        if isinstance(value, str) and SIZE.fullmatch(value):
            size, limit = size_in_bytes(value), size_in_bytes(bound)
            if size < limit if least else size > limit:
                yield ValidationError("is out of bounds")

    return check


def _is_integer(_checker: Any, value: Any) -> bool:
    """JSON Schema counts 3.0 as an integer; templates do not."""
    return isinstance(value, int) and not isinstance(value, bool)


SettingValidator = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={"pattern": _pattern, "least": _size(True), "most": _size(False)},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def _name(key: str) -> str:
    """A mapping's key for a message: plain where it is a plain word, else quoted, with everything odd escaped."""
    return key if re.fullmatch(r"[\w.-]{1,60}", key, re.ASCII) else ascii(key[:60])


def _reason(error: ValidationError) -> str:
    """Why a value was refused, without the value: the keys of a mapping are names and may be said."""
    keyword: str = str(error.validator)
    expected: Any = error.validator_value
    instance: Any = error.instance
    if instance == "":
        return "is empty"
    if keyword == "type":
        return f"is {NOUNS.get(type(error.instance), 'of another kind')} where {expected} is needed"
    if keyword in ("minimum", "least"):
        return "is too small"
    if keyword in ("maximum", "maxLength", "most"):
        return "is too long" if keyword == "maxLength" else "is too large"
    if keyword in ("minLength", "minProperties"):
        return "is too short" if keyword == "minLength" else "is empty"
    if keyword == "required":
        missing = [name for name in expected if name not in instance]
        return f"lacks {', '.join(missing)}"
    if keyword == "additionalProperties":
        rule: Any = error.schema
        unknown = sorted(set(instance) - set(rule.get("properties", {})))
        return f"has the unknown key {', '.join(_name(key) for key in unknown)}"
    if keyword == "oneOf":
        return f"needs exactly one of {', '.join(choice['required'][0] for choice in expected)}"
    if "propertyNames" in error.schema_path:
        return f"has the key {_name(instance)}, of a form that is not allowed"
    return "has a form that is not allowed"


def _path(name: str, error: ValidationError) -> str:
    parts = [
        f"[{part}]" if isinstance(part, int) else f".{_name(part)}" for part in error.absolute_path
    ]
    return name + "".join(parts)


def _number_problem(setting: Setting, value: Any, sources: Sources) -> str:
    """YAML 1.1 reads 56:22, 0123, 0x10 and 1_000 as other numbers than the reader sees: refuse those spellings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "is no finite number"
    if setting.name in sources.extra_variables:
        return ""
    source = sources.find(setting.name)
    return (
        "has a number that is not written in plain decimal digits"
        if source and source.odd_number
        else ""
    )


def _odd_keys(value: Any) -> bool:
    """Whether a mapping at any depth has a key that YAML read as something else than text (``1:``, ``yes:``)."""
    if isinstance(value, Mapping):
        return any(not isinstance(key, str) or _odd_keys(item) for key, item in value.items())
    return isinstance(value, list) and any(_odd_keys(item) for item in value)


def texts_in(value: Any) -> Iterable[str]:
    """All texts in a value, keys included. What is still encrypted is none, and stays so."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts_in(key)
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)


def _text_problem(setting: Setting, value: Any) -> str:
    for text in texts_in(value):
        if (
            setting.secret and not setting.each and CONTROL.search(text)
        ):  # a header has a form of its own
            return "contains a control character"
        if "\x00" in text:
            return "contains a NUL character"
        if any("\ud800" <= character <= "\udfff" for character in text):
            return "contains half of a surrogate pair, which is no Unicode text"
    return ""


def coerce_command_line(setting: Setting, value: Any) -> Any:
    """``-e api_port=5001`` arrives as text: read it as the number or boolean it spells, as a user means it."""
    if not isinstance(value, str):
        return value
    kind = setting.rule.get("type")
    if kind == "integer" and DECIMAL.fullmatch(value):
        return int(value)
    if kind == "number" and DECIMAL_NUMBER.fullmatch(value):
        return float(value)
    if kind == "boolean" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


def check_values(
    schema: Mapping[str, Setting], values: Mapping[str, Any], sources: Sources
) -> list[Problem]:
    """Check each value that could be resolved. ``values`` maps setting names to plain Python data."""
    problems = []
    for name, value in values.items():
        setting = schema[name]
        where = sources.where_value(setting)
        fix = f"allowed is {setting.allowed}"
        if setting.secret:
            fix += f"; {replacing(sources.environment)}"
        if value is None:
            problems.append(Problem(name, "is empty", fix, where))
            continue
        if _odd_keys(value):
            reason = "has a key that YAML does not read as text (quote it, or take another word)"
            problems.append(Problem(name, reason, fix, where))
            continue
        try:
            errors = list(SettingValidator(setting.rule).iter_errors(value))
        except (UnknownType, re.error, TypeError) as no_schema:
            reason = f"has a rule that is no JSON Schema ({type(no_schema).__name__})"
            home = f"inventories/group_vars/all/{setting.section}.yml"
            problems.append(Problem(name, reason, "correct its `# @schema`", home))
            continue
        for error in sorted(errors, key=lambda item: [str(part) for part in item.absolute_path]):
            problems.append(Problem(_path(name, error), _reason(error), fix, where))
        reason = _text_problem(setting, value) or _number_problem(setting, value, sources)
        if reason:
            problems.append(Problem(name, reason, fix, where))
    refused = {problem.root for problem in problems}
    fit = {name: value for name, value in values.items() if name not in refused}
    return problems + [
        Problem(f"{name}.{member}", "is missing", generating(sources.environment),
                sources.where_value(schema[name]))
        for name, value in fit.items()
        for member in fit.get(schema[name].each, ())
        if member not in value
    ]  # fmt: skip


def unknown_settings(
    schema: Mapping[str, Setting], names: Iterable[str], sources: Sources
) -> list[Problem]:
    """Refuse names that are no settings, with the setting that was probably meant."""
    problems = []
    for name in sorted(names):
        close = difflib.get_close_matches(name, schema, n=1)
        fix = (
            f"did you mean {close[0]}?"
            if close
            else "remove it, or add it to inventories/group_vars/all"
        )
        problems.append(Problem(name, "is no setting", fix, sources.where(name, "the inventory")))
    return problems


def hidden_settings(
    schema: Mapping[str, Setting], environment: str, sources: Sources
) -> list[Problem]:
    """Refuse settings among an inventory file's group variables: group_vars/all beats them without a word."""
    fix = f"move it to inventories/group_vars/{environment}/"
    reason = "has no effect there: group_vars/all beats the group variables of an inventory file"
    return [
        Problem(name, reason, fix, sources.in_inventory[name].describe(sources.root))
        for name in sources.in_inventory
        if name in schema and sources.find(name) is not sources.in_inventory[name]
    ]
