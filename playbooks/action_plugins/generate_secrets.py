"""Action plugin ``generate_secrets``: generate the secrets that are missing into the environment's vault file.

The secrets are those of inventories/group_vars/all/secrets.yml. One that is set anywhere, weak or not, stays as it is.
Values never leave this process unencrypted: neither arguments nor results have any.
Takes no arguments. Returns ``changed``, ``generated`` (variable names) and ``lines``. Check mode writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from stackwright import layout
from stackwright.actions.environment_action import EnvironmentAction
from stackwright.secrets.vault import SecretVault, former_variable, missing_secrets
from stackwright.settings.resolve import check_name, environment_of, plain
from stackwright.settings.schema import Setting
from stackwright.settings.validation import SettingValidator


def _shown(path: Path) -> str:
    return str(path.relative_to(layout.PROJECT) if path.is_relative_to(layout.PROJECT) else path)


def _lines(
    generated: list[Setting],
    kept: list[Setting],
    variables: Mapping[str, Any],
    shown: str,
    dry: bool,
) -> list[str]:
    """What happens to each secret, in words: names and purposes, no value."""

    def verb_of(setting: Setting) -> str:
        if former_variable(setting) in variables:
            return "copied"
        return "missing" if dry else "generated"

    both = [*generated, *kept]
    verbs = [*map(verb_of, generated), *["kept"] * len(kept)]
    width = max((len(setting.name) for setting in both), default=0)
    lines = [
        f"{verb:<9}  {setting.name:<{width}}  {setting.meaning}"
        for verb, setting in zip(verbs, both, strict=True)
    ]
    if generated:
        place = (
            f"would go into {shown}"
            if dry
            else f"into {shown}: keep a copy, and one of its password"
        )
        lines.append(place)
    return lines


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Find what is missing and add it to the vault."""
        dry = bool(self._task.check_mode)
        environment = environment_of(variables)
        schema = self.schema
        inventory = Path(str(variables.get("inventory_file") or layout.INVENTORIES))
        check_name(environment, schema["stack_environment"], inventory)
        folder = inventory if inventory.is_dir() else inventory.parent
        path = folder / "group_vars" / environment / "vault.yml"
        vault = SecretVault(path, _shown(path), environment, self._loader._vault)
        names = {name: self._names(one) for name, one in schema.items() if one.each}
        generated = vault.add(missing_secrets(schema, variables, names), dry, variables)
        kept = [item for item in schema.values() if item.secret and item not in generated]
        return {
            "changed": bool(generated),
            "generated": [setting.vault_variable for setting in generated],
            "lines": _lines(generated, kept, variables, _shown(path), dry),
        }

    def _names(self, mapping: Setting) -> list[str]:
        """The names that a mapping of secrets must have; none where the setting with them is refused."""
        wanted = self.schema[mapping.each]
        try:
            value = plain(self._templar.template(self._variables.get(wanted.name)))
        except AnsibleError:
            return []
        refused = next(SettingValidator(wanted.rule).iter_errors(value), None)
        return [] if refused else list(value)
