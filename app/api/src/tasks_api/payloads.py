"""Tasks as JSON, as PostgreSQL makes it and Redis keeps it: looked at, never taken apart."""

from __future__ import annotations

import msgspec

from tasks_api.models import NAMES

_START = b'{"%b":' % NAMES[0].encode()


def count(tasks: bytes) -> int:
    """How many tasks a JSON array holds.

    Counts the openings of objects: within a JSON string the quote would be escaped, so none is
    found there.
    """
    return tasks.count(_START)


def is_task(payload: bytes) -> bool:
    """Whether `payload` is one task as this version writes it."""
    return _is_task(_decoded(payload))


def is_task_list(payload: bytes) -> bool:
    """Whether `payload` is an array of tasks as this version writes it."""
    tasks = _decoded(payload)
    return isinstance(tasks, list) and all(map(_is_task, tasks)) and len(tasks) == count(payload)


def _decoded(payload: bytes) -> object:
    try:
        return msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        return None


def _is_task(value: object) -> bool:
    return isinstance(value, dict) and tuple(value) == NAMES
