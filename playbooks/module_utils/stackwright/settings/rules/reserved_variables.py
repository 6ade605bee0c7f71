"""The environment variables that the stack itself gives the API, and that api_environment must leave alone.

They are read from the API's templates, its env file and its embedded program, so that a variable added there is
reserved from then on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ... import layout

TEMPLATES = (
    layout.TEMPLATES / "embedded" / "api-web.json.j2",
    layout.TEMPLATES / "env" / "api-web.env.j2",
)
ASSIGNMENT = re.compile(r"""^(?:([A-Za-z_]\w*)=|\s*"([A-Z_]+)":)(.*)$""", re.MULTILINE | re.ASCII)
FILE = "_FILE"


@lru_cache(maxsize=4)
def reserved_variables(*templates: Path) -> dict[str, str]:
    """What templates assign by name, without the ending ``_FILE``, whose twin is reserved with it."""
    text = "\n".join(template.read_text(encoding="utf-8") for template in templates)
    return {
        (plain or quoted).removesuffix(FILE): value
        for plain, quoted, value in ASSIGNMENT.findall(text)
    }


def _setting_behind(name: str, assigned: str, settings: Collection[str]) -> str:
    """The setting that decides a variable: the one in its template, or of its name; empty where none does."""
    words = [*re.findall(r"\w+", assigned), name.lower()]
    return next((word for word in words if word in settings), "")


def reserved_variable_problems(
    values: Mapping[str, Any], *templates: Path
) -> list[tuple[str, str, str]]:
    """Refuse every variable of api_environment that the stack sets: (setting, reason, fix) each."""
    reserved = reserved_variables(*(templates or TEMPLATES))
    found = []
    for name in sorted(values["api_environment"]):
        base = name.removesuffix(FILE)
        if base not in reserved:
            continue
        setting = _setting_behind(base, reserved[base], values)
        fix = f"remove it: {setting or 'the stack itself'} decides it"
        reason = "is a variable that the stack gives the API itself"
        found.append((f"api_environment.{name}", reason, fix))
    return found
