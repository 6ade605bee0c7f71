"""Fill in the templates of settings with Ansible's own engine and copy the results as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import Templar

from .problems import Problem, generating
from .schema import Setting
from .sources import Sources
from .validation import coerce_command_line


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
