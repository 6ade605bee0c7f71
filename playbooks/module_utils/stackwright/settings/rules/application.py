"""Rules of the application: its folders are there, it can be run, and its checks can be told apart and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ... import layout

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
