"""Action plugin ``generate_secrets``: generate the secrets that are missing into the environment's vault file.

The secrets are those of inventories/group_vars/all/secrets.yml. One that is set anywhere, weak or not, stays as it is.
Values never leave this process unencrypted: neither arguments nor results have any.
Takes no arguments. Returns ``changed``, ``generated`` (variable names) and ``lines``. Check mode writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright import layout
from stackwright.environment_action import EnvironmentAction
from stackwright.secrets.vault import SecretVault, missing_secrets
from stackwright.settings.patterns import with_members
from stackwright.settings.resolve import check_name, environment_of
from stackwright.settings.schema import Setting


def _shown(path: Path) -> str:
    return str(path.relative_to(layout.PROJECT) if path.is_relative_to(layout.PROJECT) else path)


def _lines(generated: list[Setting], kept: list[Setting], shown: str, dry: bool) -> list[str]:
    """What happens to each secret, in words: names and purposes, no value."""
    verbs = ["missing" if dry else "generated"] * len(generated) + ["kept"] * len(kept)
    both = [*generated, *kept]
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
        schema, variables = with_members(self.schema, variables, self._templar)
        inventory = Path(str(variables.get("inventory_file") or layout.INVENTORIES))
        check_name(environment, schema["stack_environment"], inventory)
        folder = inventory if inventory.is_dir() else inventory.parent
        path = folder / "group_vars" / environment / "vault.yml"
        vault = SecretVault(path, _shown(path), environment, self._loader._vault)
        generated = vault.add(missing_secrets(schema, variables), dry)
        kept = [item for item in schema.values() if item.secret and item not in generated]
        return {
            "changed": bool(generated),
            "generated": [setting.vault_variable for setting in generated],
            "lines": _lines(generated, kept, _shown(path), dry),
        }
