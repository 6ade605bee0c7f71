"""The settings schema: every setting's type, meaning and allowed form, read from playbooks/vars/settings.yml.

Secrets share one rule there. Which they are, and what for, says inventories/group_vars/all/secrets.yml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from .. import layout
from ..secrets.advice import vault_of
from .comments import first_sentence, read_defaults

OWN_KEYWORDS = {"meaning", "unit", "allowed", "secret", "private", "each"}
EVERY_SECRET = "*"


@dataclass(frozen=True)
class Setting:
    """One setting: ``rule`` is its JSON Schema, ``section`` the group_vars/all file with its default.

    With ``each`` it is a family, see ``families``: one setting for each name in the setting that ``each`` names.
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


def _allowed_form(rule: dict[str, Any]) -> str:
    """Say in words what ``rule`` allows, for settings that do not say it themselves."""
    if "enum" in rule:
        return "one of " + ", ".join(str(choice) for choice in rule["enum"])
    if rule.get("type") == "boolean":
        return "true or false"
    kind = "a whole number" if rule.get("type") == "integer" else "a number"
    return f"{kind} from {rule['minimum']} to {rule['maximum']}"


def _spread(entries: Mapping[str, Any], purposes: Mapping[str, str]) -> dict[str, Any]:
    """The entries of a section, with the rule for every secret given to each by name."""
    own = {EVERY_SECRET, *purposes} if EVERY_SECRET in entries else set()
    spread = {name: entry for name, entry in entries.items() if name not in own}
    if EVERY_SECRET in entries:
        spread |= {
            name: {**entries[EVERY_SECRET], "meaning": meaning, **entries.get(name, {})}
            for name, meaning in purposes.items()
        }
    return spread


def parse_schema(
    document: Mapping[str, Mapping[str, Any]], purposes: Mapping[str, str] | None = None
) -> dict[str, Setting]:
    """Turn ``{section: {name: description}}`` into settings by name, in the order written.

    ``purposes`` are the secrets by name with their meaning: they get the description named ``*``.
    """
    settings = {}
    for section, entries in document.items():
        for name, entry in _spread(entries, purposes or {}).items():
            rule = {key: value for key, value in entry.items() if key not in OWN_KEYWORDS}
            if "$ref" in rule:  # a rule so long that it has a file of its own
                rule |= _load(layout.SCHEMA_FILE.with_name(rule.pop("$ref")))
            settings[name] = Setting(
                name=name,
                section=section,
                meaning=entry["meaning"],
                unit=entry.get("unit", ""),
                allowed=entry.get("allowed") or _allowed_form(rule),
                secret=entry.get("secret", False),
                private=entry.get("private", False),
                each=entry.get("each", ""),
                rule=rule,
            )
    return settings


def _secret_purposes(path: Path) -> dict[str, str]:
    """Each secret with the first sentence of the comment above it."""
    return {
        default.name: first_sentence(group.comment)
        for group in read_defaults(path).groups
        for default in group.defaults
    }


@lru_cache(maxsize=4)
def load_schema(path: Path) -> dict[str, Setting]:
    """Read the schema file. Raises KeyError for an entry without meaning: the product's mistake, not a setting's."""
    return parse_schema(_load(path)["settings_schema"], _secret_purposes(layout.SECRETS_FILE))


def _load(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))
