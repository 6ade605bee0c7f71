"""Secrets outside dev: long, not well known, not dev's, and encrypted with Ansible Vault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..problems import Problem, generating, hiding, replacing
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


def _readable_places(
    setting: Setting, texts: Mapping[str, str], sources: Sources
) -> dict[str, str]:
    """The files that spell secrets out for anyone to read, under whatever name, by the secret."""
    for candidate in (setting.name, setting.vault_variable):
        source = sources.find(candidate)
        if source and source.is_readable:
            return {setting.name: source.describe(sources.root)}
    return {
        name: str(path.relative_to(sources.root) if path.is_relative_to(sources.root) else path)
        for name, text in texts.items()
        if len(text)
        >= SHORTEST  # else refused for that; so short a text may stand somewhere by chance
        for path in reversed(sources.files)  # the first one is named
        if text.encode() in path.read_bytes()
    }


def _problems_of(setting: Setting, value: Any, sources: Sources) -> list[Problem]:
    name, environment = setting.name, sources.environment
    texts = (
        {f"{name}.{key}": text for key, text in value.items()} if setting.each else {name: value}
    )
    where = sources.where_value(setting)
    problems = [
        Problem(member, reason, replacing(environment), where)
        for member, text in texts.items()
        if (reason := _weakness(text))
    ]
    if {name, setting.vault_variable} & sources.extra_variables:
        reason = "is given with -e, and only the environment's own vault keeps it encrypted for every run"
        fix = f"leave it out; {generating(environment)}"
        problems.append(Problem(name, reason, fix, "the command line (-e)"))
    return problems + [
        Problem(member, "is readable in a plain file", hiding(environment, place), place)
        for member, place in _readable_places(setting, texts, sources).items()
    ]


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
    secrets = [
        one
        for name, setting in schema.items()
        if setting.secret
        for one in (
            [setting.member(key).name for key in values[setting.each]] if setting.each else [name]
        )
    ]
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
