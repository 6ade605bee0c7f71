"""Settings of which there is one for each name in another setting, such as a secret for each token of the API.

A family is declared like any other setting, in the schema and with a commented default. NAME in its own name stands for
the names in the setting that ``each`` names. Its members are settings like all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template

from .schema import Setting
from .validation import SettingValidator

PLACEHOLDER = "NAME"


def with_members(
    schema: Mapping[str, Setting], task_vars: Mapping[str, Any], templar: Templar
) -> tuple[dict[str, Setting], dict[str, Any]]:
    """The schema with members in place of families, and the variables with a default for each member.

    A family whose names cannot be told, since the setting with them is refused, has no members.
    """
    members: dict[str, Setting] = {}
    variables = dict(task_vars)
    for name, setting in schema.items():
        if not setting.each:
            members[name] = setting
            continue
        default = variables.pop(name, None)
        for one in _names(schema[setting.each], task_vars, templar):
            member = member_of(setting, one)
            members[member.name] = member
            if isinstance(default, str):
                text = str(default).replace(PLACEHOLDER, one)
                variables.setdefault(member.name, trust_as_template(text))
    return members, variables


def member_of(family: Setting, name: str) -> Setting:
    """The setting for one name."""
    return replace(
        family,
        name=family.name.replace(PLACEHOLDER, name),
        meaning=family.meaning.replace(PLACEHOLDER, name),
        each="",
    )


def _names(setting: Setting, task_vars: Mapping[str, Any], templar: Templar) -> Iterator[str]:
    """The keys of a mapping, where it is one that its schema allows."""
    own = templar.copy_with_new_env(available_variables=task_vars)
    try:
        value = own.template(task_vars.get(setting.name))
    except AnsibleError:
        return
    if isinstance(value, Mapping):
        plain = {str(key): str(item) for key, item in value.items()}
        if not next(SettingValidator(setting.rule).iter_errors(plain), None):
            yield from plain
