"""Rules of the application: its folders are there, it can be run, and its checks can be told apart and kept.

The variables that the stack itself gives it are reserved: those of the catalogue entry and of its embedded program, so
that one added there is reserved from then on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ... import layout
from ..catalogue import setting_of, variable_names

Problems = list[tuple[str, str, str]]


def application_problems(values: Mapping[str, Any]) -> Problems:
    """(setting, reason, fix) each."""
    return [*_folders(values), *_command(values), *_checks(values)]


def _folders(values: Mapping[str, Any]) -> Problems:
    found: Problems = []
    folder, sources = values["app_folder"], values["app_source_folder"]
    fix = "correct it, or put the application there; it is seen from the project's folder"
    if not (layout.PROJECT / folder).is_dir():
        return [("app_folder", f"names {folder}, which is no folder of the project", fix)]
    if values["stack_runtime"] == "embedded":
        if not (layout.PROJECT / sources).is_dir():
            found.append(
                ("app_source_folder", f"names {sources}, which is no folder of the project", fix)
            )
    elif not (layout.PROJECT / folder / "Dockerfile").is_file():
        fix = f"write {folder}/Dockerfile, or set stack_runtime to embedded"
        found.append(("app_folder", f"names {folder}, which has no Dockerfile", fix))
    return found


def _command(values: Mapping[str, Any]) -> Problems:
    if values["app_command"] or values["stack_runtime"] == "compose":
        return []
    reason = "is empty, so the embedded runtime cannot run the application"
    fix = "set it, such as [python, -m, notes], or set stack_runtime to compose"
    return [("app_command", reason, fix)]


def _checks(values: Mapping[str, Any]) -> Problems:
    found: Problems = []
    names = Counter(check["name"] for check in values["app_checks"])
    for name in (name for name, count in names.items() if count > 1):
        found.append(("app_checks", f"has more than one check {name}", "give each its own name"))
    for check in values["app_checks"]:
        if check.get("method") == "HEAD" and ("json" in check or "text" in check):
            reason = f"has the check {check['name']}, which expects a body in an answer to HEAD"
            found.append(("app_checks", reason, "take GET, or leave json and text out"))
    return found


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
