"""Container states as sentences: what `docker inspect` and `docker compose ps` say in JSON, made readable.

Understood are the State object of the Docker Engine API (GET /containers/{id}/json: Status, ExitCode, OOMKilled,
Error, Health.Log), a whole inspect document, and the lines of `docker compose ps --format json` (Name, State, Health,
ExitCode), and the events of `docker compose --progress json` (error, message).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

EXIT_CODES = {
    1: "it reported an error",
    2: "wrong settings or arguments",
    126: "its program may not be executed",
    127: "its program was not found",
    132: "illegal instruction: the image is for another processor",
    134: "it aborted itself",
    137: "killed: out of memory, or it did not stop in time",
    139: "it crashed (segmentation fault)",
    143: "it was told to stop",
}


def meaning(code: int) -> str:
    """What an exit code means, in a few words."""
    return EXIT_CODES.get(code, "see its log")


def sentences(text: str) -> list[str]:
    """One line per container that is not well, for every state in JSON within ``text``; and what events report."""
    return [line for state in _states(text) for line in _sentences(state)]


def is_json(line: str) -> bool:
    """Whether a line is a JSON document that programs wrote for programs."""
    if not line.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _states(text: str) -> Iterator[dict[str, Any]]:
    for value in _values(text):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield item


def _values(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
    except (ValueError, RecursionError):
        for line in text.splitlines():
            if line.lstrip().startswith(("{", "[")):
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    continue


def _sentences(item: dict[str, Any]) -> Iterator[str]:
    if item.get("error") is True:
        yield str(item.get("message", ""))
    nested = item.get("State")
    state: dict[str, Any] = nested if isinstance(nested, dict) else item
    status = str(nested if isinstance(nested, str) else state.get("Status", ""))
    name = str(item.get("Name") or item.get("Service") or "of this environment").lstrip("/")
    code = state.get("ExitCode", 0)
    if state.get("OOMKilled"):
        yield f"container {name}: killed for using more memory than its limit"
    elif status in ("exited", "dead", "restarting") and isinstance(code, int) and code:
        looping = " again and again" if status == "restarting" else ""
        yield f"container {name}: exited with code {code}{looping}"
    if error := str(state.get("Error") or ""):
        yield f"container {name}: {error}"
    health = state.get("Health")
    if isinstance(health, str) and health == "unhealthy" and status != "exited":
        yield f"container {name}: unhealthy"
    if isinstance(health, dict) and health.get("Status") == "unhealthy" and status != "exited":
        checks = [check for check in health.get("Log") or [] if isinstance(check, dict)]
        last = checks[-1] if checks else {}
        output = " ".join(str(last.get("Output", "")).split()) or "no output"
        yield f"container {name}: unhealthy, its last check ended with {last.get('ExitCode', '?')}: {output}"
