"""Turn Ansible's variables of one host into the plain settings of one environment, or refuse it.

This module knows Ansible's Python API and has its engine fill in templates; everything after it works on plain data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import Templar

from .. import layout
from .defaults import FREE_PREFIXES
from .problems import Problem, RefusedError, generating
from .rules.cross_field import cross_field_problems
from .rules.secrets import catalogue_secret_problems, secret_problems
from .schema import Setting, read_folder, with_members
from .sources import Sources
from .validation import (
    SettingValidator,
    check_values,
    coerce_command_line,
    hidden_settings,
    texts_in,
    unknown_settings,
)


def plain(value: Any) -> Any:
    """Copy a templated value without Ansible's tags and lazy containers, so that nothing is templated again."""
    if isinstance(value, str):
        return str.__str__(value)[:]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value  # a date, binary data: no setting takes one, and the schema says so


def _problem_of(
    error: AnsibleError, setting: Setting, environment: str, sources: Sources
) -> Problem:
    """An undefined variable or a broken template; Ansible's own text may quote a value, so only its end is used."""
    where = sources.where_value(setting)
    text = str(error).splitlines()[0]
    if "decrypt" in text.lower():
        fix = "add --ask-vault-pass or --vault-password-file FILE with the password it was encrypted with"
        return Problem(
            setting.name, "is encrypted with Ansible Vault and cannot be decrypted", fix, where
        )
    if "is undefined" in text:
        from_vault = setting.secret and f"'{setting.vault_variable}'" in text
        fix = generating(environment) if from_vault else "define it"
        return Problem(setting.name, text.split(": ")[-1], fix, where)
    fix = "correct the template; text that contains {{ or {% is written with !unsafe in front"
    return Problem(setting.name, "is a template that does not resolve", fix, where)


def resolve_values(
    schema: Mapping[str, Setting],
    task_vars: Mapping[str, Any],
    templar: Templar,
    environment: str,
    sources: Sources,
) -> tuple[dict[str, Any], list[Problem]]:
    """Template every setting. Returns those that resolved, and a problem for each that did not."""
    variables = dict(task_vars)
    for name in sources.extra_variables & set(schema):
        variables[name] = coerce_command_line(schema[name], variables[name])
    templar = templar.copy_with_new_env(available_variables=variables)
    values: dict[str, Any] = {}
    problems = []
    for name, setting in schema.items():
        if name not in variables:
            where = f"inventories/group_vars/all/{setting.section}.yml"
            problems.append(
                Problem(name, "is missing", f"add it; allowed is {setting.allowed}", where)
            )
            continue
        try:
            values[name] = plain(templar.template(variables[name]))
        except AnsibleError as error:
            problems.append(_problem_of(error, setting, environment, sources))
    return values, problems


# Variables that Ansible itself gives every host, besides those that start with ansible_.
# Source: docs.ansible.com, "Special variables".
MAGIC = {
    "group_names", "groups", "hostvars", "inventory_dir", "inventory_file", "inventory_hostname",
    "inventory_hostname_short", "omit", "play_hosts", "playbook_dir", "role_names", "role_name", "role_path",
    "vars", "environment", "discovered_interpreter_python",
}  # fmt: skip
WORD = re.compile(r"\w+")


def made_of(task_vars: Mapping[str, Any], extra: set[str]) -> list[Any]:
    """All that settings are resolved from, templates not filled in: where that is the same, they are."""
    place = ("inventory_hostname", "inventory_file", "group_names")
    own = {name for name in task_vars if not str(name).startswith(("ansible_", "_"))} - MAGIC
    return [sorted(extra), [(name, task_vars.get(name)) for name in (*place, *sorted(own))]]


def environment_of(task_vars: Mapping[str, Any]) -> str:
    """The name of the host's environment: its one group. Raises RefusedError where that is not clear."""
    host = str(task_vars["inventory_hostname"])
    groups = [str(group) for group in task_vars.get("group_names", []) if group != "ungrouped"]
    hosts = task_vars.get("groups", {}).get(groups[0], [host]) if groups else [host]
    if len(groups) == 1 and groups[0] != host and len(hosts) == 1:
        return groups[0]
    fix = "put the host into exactly one group named after the environment; see inventories/dev.yml"
    if len(groups) != 1:
        reason = f"host {host} is in {len(groups)} groups, and its group names the environment"
    elif groups[0] == host:
        reason = f"host {host} carries its group's name, which hides the group's variables"
    else:
        named = ", ".join(sorted(map(str, hosts)))
        reason = f"group {groups[0]} has {len(hosts)} hosts ({named}), and an environment has one"
        fix = "give each host a group of its own: each is an environment, with its own group_vars"
    where = str(task_vars.get("inventory_file") or "the inventory")
    raise RefusedError(host, [Problem("stack_environment", reason, fix, where)])


@dataclass(frozen=True)
class Resolution:
    """What is known of an environment: ``values`` are the settings that passed the schema, all without ``problems``.

    In ``schema`` and ``values`` the members of mappings of secrets are secrets by themselves.
    """

    environment: str
    values: dict[str, Any]
    problems: list[Problem]
    schema: dict[str, Setting] = field(default_factory=dict)

    def check(self, secrets: bool = True) -> None:
        """Raise RefusedError with every problem; without ``secrets`` those of secrets are left out."""
        hidden = set() if secrets else {name for name, one in self.schema.items() if one.secret}
        problems = [problem for problem in self.problems if problem.root not in hidden]
        if problems:
            raise RefusedError(self.environment, problems)


def check_name(environment: str, setting: Setting, inventory: Path) -> None:
    """Refuse a group whose name is no environment's name, before everything derived from it is refused too."""
    if next(SettingValidator(setting.rule).iter_errors(environment), None):
        fix = f"rename the group; allowed is {setting.allowed}"
        problem = Problem(setting.name, "has a form that is not allowed", fix, str(inventory))
        raise RefusedError(environment, [problem])


def _own_mistakes(problems: list[Problem], task_vars: Mapping[str, Any]) -> list[Problem]:
    """Leave out settings that are wrong only because their template uses another one that is refused itself.

    Where there is no other than those, they use each other in a circle, and are told.
    """
    refused = {problem.root for problem in problems}

    def used_by(name: str) -> set[str]:
        text = " ".join(texts_in(task_vars.get(name)))
        return refused.intersection(WORD.findall(text)) - {name} if "{{" in text else set()

    used = {name: used_by(name) for name in refused}
    own = [problem for problem in problems if not used[problem.root]]
    circle = set().union(*used.values())
    return own or [problem for problem in problems if problem.root in circle]


def look_at_environment(
    task_vars: Mapping[str, Any], templar: Templar, extra: set[str]
) -> Resolution:
    """Resolve and check all settings of the host's environment; ``extra`` are the names given with -e.

    Raises RefusedError only where it is not clear which environment that is.
    """
    environment = environment_of(task_vars)
    defaults = read_folder(layout.DEFAULTS)
    if defaults.problems:
        raise RefusedError(environment, defaults.problems)
    schema = defaults.settings
    inventory = Path(str(task_vars.get("inventory_file") or layout.INVENTORIES))
    check_name(environment, schema["stack_environment"], inventory)
    sources = Sources(
        inventory, environment, str(task_vars["inventory_hostname"]), extra, layout.PROJECT
    )

    names = {str(name) for name in task_vars if not str(name).startswith(FREE_PREFIXES)} - MAGIC
    problems = unknown_settings(schema, names - set(schema), sources)
    problems += hidden_settings(schema, environment, sources)
    values, unresolved = resolve_values(schema, task_vars, templar, environment, sources)
    refused = unresolved + check_values(schema, values, sources)
    problems += _own_mistakes(refused, task_vars)
    bad = {problem.root for problem in refused}
    values = {name: value for name, value in values.items() if name not in bad}
    if values.get("stack_environment", environment) != environment:
        fix = "remove it: it is derived from the inventory group"
        where = sources.where("stack_environment", "the inventory")
        problems.append(
            Problem("stack_environment", f"is not the group's name, {environment}", fix, where)
        )
    if not problems:
        problems = cross_field_problems(values, sources) + secret_problems(schema, values, sources)
        problems += catalogue_secret_problems(schema, values, sources)
    schema, values = with_members(schema, values)
    return Resolution(environment, values, problems, schema)
