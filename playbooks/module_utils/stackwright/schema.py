"""The settings schema: every setting's type, meaning and allowed form, read from playbooks/vars/settings.yml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

OWN_KEYWORDS = {"meaning", "unit", "allowed", "secret"}


@dataclass(frozen=True)
class Setting:
    """One setting: ``rule`` is its JSON Schema, ``section`` the group_vars/all file with its default."""

    name: str
    section: str
    meaning: str
    unit: str
    allowed: str
    secret: bool
    rule: dict[str, Any]


def _allowed_form(rule: dict[str, Any]) -> str:
    """Say in words what ``rule`` allows, for settings that do not say it themselves."""
    if "enum" in rule:
        return "one of " + ", ".join(str(choice) for choice in rule["enum"])
    if rule.get("type") == "boolean":
        return "true or false"
    kind = "a whole number" if rule.get("type") == "integer" else "a number"
    if "exclusiveMinimum" in rule:
        return f"{kind} above {rule['exclusiveMinimum']}, at most {rule['maximum']}"
    return f"{kind} from {rule['minimum']} to {rule['maximum']}"


def parse_schema(document: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Setting]:
    """Turn ``{section: {name: description}}`` into settings by name, in the order written."""
    settings = {}
    for section, entries in document.items():
        for name, entry in entries.items():
            rule = {key: value for key, value in entry.items() if key not in OWN_KEYWORDS}
            settings[name] = Setting(
                name=name,
                section=section,
                meaning=entry["meaning"],
                unit=entry.get("unit", ""),
                allowed=entry.get("allowed") or _allowed_form(rule),
                secret=entry.get("secret", False),
                rule=rule,
            )
    return settings


@lru_cache(maxsize=4)
def load_schema(path: Path) -> dict[str, Setting]:
    """Read the schema file. Raises KeyError for an entry without meaning: the product's mistake, not a setting's."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    return parse_schema(document["settings_schema"])
