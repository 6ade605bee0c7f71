"""Every setting once: its comment, rule and default are one record in inventories/group_vars/all/<section>.yml.

docs/extending.md describes the words of rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from .. import layout
from .defaults import DefaultsFile, first_sentence, read_defaults
from .problems import Problem, vault_of

OWN_KEYWORDS = {"unit", "allowed", "secret", "private", "each"}
# Bounds of a size that is written with a unit, such as 256m: see ``validation``.
SIZE_KEYWORDS = {"least", "most"}
KEYWORDS = {*Draft202012Validator.VALIDATORS, *OWN_KEYWORDS, *SIZE_KEYWORDS}
ADD_RULE = "add what it may be, such as `# @schema {type: integer, minimum: 1, maximum: 9}`"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Setting:
    """One setting: ``rule`` is its JSON Schema, ``section`` the group_vars/all file with its default.

    With ``each`` it is a mapping of secrets: one for each name in the setting that ``each`` names.
    """

    name: str
    section: str
    meaning: str
    unit: str
    allowed: str
    secret: bool
    rule: dict[str, Any]
    private: bool = False
    each: str = ""

    @property
    def vault_variable(self) -> str:
        """The variable in the environment's vault that a secret setting takes its value from."""
        return f"vault_{self.name}"

    def home(self, environment: str) -> str:
        """The file to look into where no other is known to set it."""
        if self.secret:
            return vault_of(environment)
        return f"inventories/group_vars/all/{self.section}.yml"

    @property
    def printable(self) -> bool:
        """Whether the value may be shown."""
        return not (self.secret or self.private)

    def member(self, name: str) -> Setting:
        """The secret for a name in a mapping of secrets: ``api_token_ci`` for ci in ``api_token_secrets``."""
        return replace(self, name=self.name.removesuffix("secrets") + name, each="")


@dataclass(frozen=True)
class Defaults:
    """All that a folder of defaults says: ``problems`` are those of records that say too little or nothing readable."""

    files: tuple[DefaultsFile, ...]
    settings: dict[str, Setting]
    problems: tuple[Problem, ...]


class _RuleError(Exception):
    """A rule that cannot be used: the reason and the fix."""


def _parsed(texts: Sequence[str]) -> list[Any]:
    """Each annotation as data, or why it is none. All are read as one document, which is fast."""
    try:
        found = yaml.load("\n".join(f"- {text}" for text in texts), Loader=LOADER) or []
        if len(found) == len(texts):
            return list(found)
    except yaml.YAMLError:
        pass
    return [_parsed_alone(text) for text in texts]


def _parsed_alone(text: str) -> Any:
    try:
        return yaml.load(text, Loader=LOADER)
    except yaml.YAMLError as error:
        return error


def _checked(entry: Any) -> dict[str, Any]:
    """An annotation as written, a mapping of known words. Raises _RuleError."""
    if isinstance(entry, yaml.YAMLError):
        why = getattr(entry, "problem", None) or "it is no YAML"
        raise _RuleError(f"has a `# @schema` that cannot be read: {why}", "correct it")
    if not isinstance(entry, dict):
        raise _RuleError("has no `# @schema {…}` right above it", ADD_RULE)
    unknown = sorted(str(word) for word in entry.keys() - KEYWORDS)
    if unknown:
        fix = f"take a word of JSON Schema, or one of {', '.join(sorted(OWN_KEYWORDS))}"
        raise _RuleError(f"has unknown words in its `# @schema`: {', '.join(unknown)}", fix)
    return entry


Entries = dict[str, dict[str, Any] | _RuleError]


def _entry(own: str, shared: str, annotations: Mapping[str, Any]) -> dict[str, Any] | _RuleError:
    """What a setting's own annotation says, and otherwise the one of its file; or why it says nothing."""
    try:
        base = _checked(annotations[shared]) if shared else {}
        return {**base, **(_checked(annotations[own]) if own or not shared else {})}
    except _RuleError as error:
        return error


def _filled(name: str, entries: Entries, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """An entry with that of its ``$ref`` filled in: another setting's, or a file's in playbooks/schemas."""
    entry = entries[name]
    if isinstance(entry, _RuleError):
        raise entry
    reference = str(entry.get("$ref", ""))
    own = {word: value for word, value in entry.items() if word != "$ref"}
    if not reference:
        return own
    if reference in entries and reference not in seen:
        return _filled(reference, entries, (*seen, name)) | own
    file = layout.SCHEMAS / reference
    if file.suffix == ".yml" and file.is_file():
        return {**yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER), **own}
    fix = "name a setting that has a rule, or a file in playbooks/schemas"
    raise _RuleError(f"has a `$ref` that leads nowhere: {reference}", fix)


def _allowed_form(rule: Mapping[str, Any]) -> str:
    """Say in words what ``rule`` allows, for settings that do not say it themselves. Raises _RuleError."""
    if "enum" in rule:
        return "one of " + ", ".join(str(choice) for choice in rule["enum"])
    if rule.get("type") == "boolean":
        return "true or false"
    if rule.get("type") in ("integer", "number") and {"minimum", "maximum"} <= rule.keys():
        kind = "a whole number" if rule["type"] == "integer" else "a number"
        return f"{kind} from {rule['minimum']} to {rule['maximum']}"
    fix = "add `allowed: …` with the form in words, or type, minimum and maximum"
    raise _RuleError("has a `# @schema` that does not say in words what is allowed", fix)


def _setting(name: str, section: str, comment: str, entry: Mapping[str, Any]) -> Setting:
    rule = {word: value for word, value in entry.items() if word not in OWN_KEYWORDS}
    return Setting(
        name=name,
        section=section,
        meaning=first_sentence(comment),
        unit=entry.get("unit", ""),
        allowed=entry.get("allowed") or _allowed_form(rule),
        secret=entry.get("secret", False),
        private=entry.get("private", False),
        each=entry.get("each", ""),
        rule=rule,
    )


def _reference_of(entry: dict[str, Any] | _RuleError) -> Any:
    return entry.get("$ref") if isinstance(entry, dict) else None


@lru_cache(maxsize=8)
def read_folder(folder: Path) -> Defaults:
    """Every record of a folder. A setting whose rule cannot be used is among the problems, and allows everything."""
    paths = sorted(folder.glob("*.yml"), key=lambda path: (path.stem != "stack", path.name))
    files = tuple(read_defaults(path) for path in paths)
    records = [
        (file, group, default)
        for file in files
        for group in file.groups
        for default in group.defaults
    ]
    texts = sorted(
        {text for file, _, default in records for text in (file.annotation, default.annotation)}
    )
    annotations = dict(zip(texts, _parsed(texts), strict=True))
    entries: Entries = {}
    for file, _, default in records:
        entry = _entry(default.annotation, file.annotation, annotations)
        entries.setdefault(default.name, entry)
    settings: dict[str, Setting] = {}
    problems = []
    for file, group, default in records:
        name, section = default.name, file.path.stem
        try:
            if name in settings:
                where = f"is in {settings[name].section}.yml too"
                raise _RuleError(where, "keep one of them")
            settings[name] = _setting(name, section, group.comment, _filled(name, entries))
        except _RuleError as error:
            reason, fix = error.args
            problems.append(Problem(name, reason, fix, file.where(default)))
            open_rule = {"allowed": "anything", "private": True}
            settings.setdefault(name, _setting(name, section, group.comment, open_rule))
    refused = {problem.setting for problem in problems}
    own = (  # what is wrong only because its reference is, is not named
        problem
        for problem in problems
        if _reference_of(entries[problem.setting]) not in refused - {problem.setting}
    )
    return Defaults(files, settings, tuple(own))


def load_schema(folder: Path) -> dict[str, Setting]:
    """The settings that the defaults in ``folder`` describe, by name."""
    return read_folder(folder).settings


def with_members(
    schema: Mapping[str, Setting], values: Mapping[str, Any]
) -> tuple[dict[str, Setting], dict[str, Any]]:
    """Schema and values with each member of a mapping of secrets as a secret by itself, as services read them."""
    known, plain = dict(schema), dict(values)
    for name, setting in schema.items():
        for key, text in plain.pop(name, {}).items() if setting.each else ():
            member = setting.member(key)
            known[member.name], plain[member.name] = member, text
    return known, plain
