"""Secrets outside dev: long, not well known, not dev's, and encrypted with Ansible Vault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .problems import Problem
from .schema import Setting
from .setting_sources import Sources

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


def _readable_place(name: str, value: str, sources: Sources) -> str:
    """The file that spells the secret out for anyone to read, under whatever name, or nothing."""
    for candidate in (name, f"vault_{name}"):
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


def _problems_of(name: str, value: str, vault: str, sources: Sources) -> list[Problem]:
    problems = []
    reason = _weakness(value)
    if reason:
        fix = f"ansible-vault edit {vault}; a good one: openssl rand -base64 24"
        problems.append(Problem(name, reason, fix, sources.where(f"vault_{name}", vault)))
    if {name, f"vault_{name}"} & sources.extra_variables:
        reason = "is given with -e, where `ps` or a plain file shows it"
        problems.append(Problem(name, reason, f"move it to {vault}", "the command line (-e)"))
    place = _readable_place(name, value, sources)
    if place:
        fix = f"ansible-vault encrypt it, as vault_{name} in {vault}"
        problems.append(Problem(name, "is readable in a plain file", fix, place))
    return problems


def secret_problems(
    schema: Mapping[str, Setting], values: Mapping[str, Any], sources: Sources
) -> list[Problem]:
    """Refuse weak or readable secrets where secrets_strict holds. ``values`` passed the schema."""
    if not values["secrets_strict"]:
        return []
    vault = f"inventories/group_vars/{values['stack_environment']}/vault.yml"
    names = [name for name, setting in schema.items() if setting.secret]
    return [
        problem for name in names for problem in _problems_of(name, values[name], vault, sources)
    ]


def catalogue_secret_problems(
    schema: Mapping[str, Setting], values: Mapping[str, Any], sources: Sources
) -> list[Problem]:
    """Refuse services that ask for a secret which is no secret setting. ``values`` passed the schema."""
    secrets = [name for name, setting in schema.items() if setting.secret]
    where = sources.where("stack_services", "inventories/group_vars/all/services.yml")
    fix = f"name one of {', '.join(secrets)}, or describe it in playbooks/vars/settings.yml with secret: true"
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
