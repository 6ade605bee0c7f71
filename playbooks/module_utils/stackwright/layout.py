"""Where things live in the project, found from this file, so that any working directory will do."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
SCHEMA_FILE = PROJECT / "playbooks" / "vars" / "settings.yml"
TEMPLATES = PROJECT / "templates"
INVENTORIES = PROJECT / "inventories"
DEFAULTS = INVENTORIES / "group_vars" / "all"
SECRETS_FILE = DEFAULTS / "secrets.yml"
