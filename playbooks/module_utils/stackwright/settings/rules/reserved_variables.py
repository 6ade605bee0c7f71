"""The environment variables that the stack itself gives the API, and that api_environment must leave alone.

They are those of the API's catalogue entry and of its embedded program, so that a variable added there is reserved from
then on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ... import layout
from ..catalogue import setting_of, variable_names

CATALOGUE = layout.DEFAULTS / "services.yml"
PROGRAM = layout.TEMPLATES / "embedded" / "api-web.json.j2"
ASSIGNMENT = re.compile(r"""^\s*"?([A-Z_]+)"?: (.*)$""", re.MULTILINE | re.ASCII)
FILE = "_FILE"


@lru_cache(maxsize=4)
def _assigned(path: Path) -> dict[str, str]:
    """What a file assigns to variables, as it is written there."""
    return dict(ASSIGNMENT.findall(path.read_text(encoding="utf-8")))


def _setting_behind(name: str, entry: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The setting that decides a variable: its secret, the one in its template, or one of its name; or nothing."""
    secrets = entry["secrets"] if isinstance(entry["secrets"], Mapping) else {}
    words = [secret for secret, variable in secrets.items() if variable == name]
    words += re.findall(r"\w+", _assigned(CATALOGUE).get(name, ""))
    prefix, _, part = name.rpartition("_")
    other = values["stack_services"].get(entry.get("connections", {}).get(prefix), {})
    if part == "PORT" and other:
        words += [setting_of(values, port, "_port") for port in other.get("container_ports", [])]
    return next((word for word in [*words, name.lower()] if word in values), "")


def reserved_variable_problems(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Refuse every variable of api_environment that the stack sets: (setting, reason, fix) each."""
    entries = values["stack_services"].values()
    entry: Mapping[str, Any] = next(
        (entry for entry in entries if entry.get("role") == "api"), {"secrets": []}
    )
    reserved = variable_names(entry) | _assigned(PROGRAM).keys()
    found = []
    for name in sorted(values["api_environment"]):
        base = name.removesuffix(FILE)
        if base not in reserved:
            continue
        fix = f"remove it: {_setting_behind(base, entry, values) or 'the stack itself'} decides it"
        reason = "is a variable that the stack gives the API itself"
        found.append((f"api_environment.{name}", reason, fix))
    return found
