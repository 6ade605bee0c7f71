"""Secrets outside dev: long, not well known, not dev's, and encrypted with Ansible Vault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...secrets.advice import generating, hiding, replacing
from ..problems import Problem
from ..schema import Setting
from ..sources import Sources

SHORTEST = 16
WELL_KNOWN = re.compile(
    "admin|changeme|password|postgres|qwerty|secret|letmein|123456|default|example", re.IGNORECASE
)


def _weakness(text: str) -> str:
    if len(text) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if len(WELL_KNOWN.sub("", text)) * 2 <= len(text):
        return "is built on a well-known password"
    if len(set(text)) < 6:
        return "repeats a few characters"
    return ""


def _readable_place(setting: Setting, value: str, sources: Sources) -> str:
    """The file that spells the secret out for anyone to read, under whatever name, or nothing."""
    for candidate in (setting.name, setting.vault_variable):
        source = sources.find(candidate)
        if source and source.is_readable:
            return source.describe(sources.root)
    if len(value) < SHORTEST:
        return ""  # refused for that; so short a text may stand somewhere by chance
    for path in sources.files:
        if value.encode() in path.read_bytes():
            return str(
                path.relative_to(sources.root) if path.is_relative_to(sources.root) else path
            )
    return ""


def _problems_of(setting: Setting, value: str, sources: Sources) -> list[Problem]:
    name, environment = setting.name, sources.environment
    problems = []
    reason = _weakness(value)
    if reason:
        problems.append(Problem(name, reason, replacing(environment), sources.where_value(setting)))
    if {name, setting.vault_variable} & sources.extra_variables:
        reason = "is given with -e, and only the environment's own vault keeps it encrypted for every run"
        fix = f"leave it out; {generating(environment)}"
        problems.append(Problem(name, reason, fix, "the command line (-e)"))
    place = _readable_place(setting, value, sources)
    if place:
        fix = hiding(environment, place)
        problems.append(Problem(name, "is readable in a plain file", fix, place))
    return problems


def secret_problems(
    schema: Mapping[str, Setting], values: Mapping[str, Any], sources: Sources
) -> list[Problem]:
    """Refuse weak or readable secrets where secrets_strict holds. ``values`` passed the schema."""
    if not values["secrets_strict"]:
        return []
    return [
        problem
        for name, setting in schema.items()
        if setting.secret
        for problem in _problems_of(setting, values[name], sources)
    ]


def catalogue_secret_problems(
    schema: Mapping[str, Setting], values: Mapping[str, Any], sources: Sources
) -> list[Problem]:
    """Refuse services that ask for a secret which is no secret setting. ``values`` passed the schema."""
    secrets = [name for name, setting in schema.items() if setting.secret]
    where = sources.where("stack_services", "inventories/group_vars/all/services.yml")
    fix = f"name one of {', '.join(secrets)}, or add it to inventories/group_vars/all/secrets.yml"
    return [
        Problem(
            f"stack_services.{name}.secrets",
            f"names {secret!a}, which is no secret setting",
            fix,
            where,
        )
        for name, service in values["stack_services"].items()
        for secret in service["secrets"]
        if secret not in secrets
    ]
