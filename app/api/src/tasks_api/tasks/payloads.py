"""Tasks as JSON, as PostgreSQL makes it and Redis keeps it: looked at, never taken apart."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from tasks_api.tasks.models import NAMES, StoredTask

_START = b'{"%b":' % NAMES[0].encode()


def count(tasks: bytes) -> int:
    """How many tasks a JSON array holds.

    Counts the openings of objects: within a JSON string the quote would be escaped, so none is
    found there.
    """
    return tasks.count(_START)


def is_task(payload: bytes, task_id: int) -> bool:
    """Whether `payload` is the task with this id as this version writes it."""
    return payload.startswith(b"%b%d," % (_START, task_id)) and _is_task(_decoded(payload))


def is_task_list(payload: bytes) -> bool:
    """Whether `payload` is an array of tasks, newest first, as this version writes it."""
    tasks = _decoded(payload)
    if not isinstance(tasks, list) or not all(map(_is_task, tasks)):
        return False
    places = [(task["created_at"], task["id"]) for task in tasks]
    return len(tasks) == count(payload) and all(a > b for a, b in pairwise(places))


def _decoded(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        return None


def _is_task(value: Any) -> bool:
    if not isinstance(value, dict) or tuple(value) != NAMES:
        return False
    try:
        msgspec.convert(value, StoredTask)
    except msgspec.ValidationError:
        return False
    return True
