"""Tasks: their fields, and all SQL about them.

A task leaves PostgreSQL as finished JSON text (compact, keys in the order of FIELDS, timestamps in
ISO 8601), and goes into cache and responses as it is: no task can look different from cache and
from database.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from tasks_api.database import Database
from tasks_api.errors import TaskNotFound
from tasks_api.validation import Field, choice, text

FIELDS = (
    Field("id"),
    Field("title", text(longest=255, blank=False), required=True),
    Field("description", text()),
    Field("status", choice("pending", "in_progress", "completed")),
    Field("created_at"),
    Field("updated_at"),
)

_NAMES = [field.name for field in FIELDS]
_COLUMNS = ", ".join(_NAMES)
_TASK_START = json.dumps({_NAMES[0]: 0}, separators=(",", ":"))[:-2].encode()

_LIST = f"""
    SELECT '[' || coalesce(
        string_agg(row_to_json(t)::text, ',' ORDER BY created_at DESC, id DESC), '') || ']'
    FROM (SELECT {_COLUMNS} FROM tasks) t"""
_GET = f"SELECT row_to_json(t)::text FROM (SELECT {_COLUMNS} FROM tasks WHERE id = %s) t"
_CHANGE = f"WITH t AS ({{}} RETURNING {_COLUMNS}) SELECT id, row_to_json(t)::text FROM t"
# updated_at must move on every change, even when the clock was set back.
_TOUCH = "updated_at = greatest(now() AT TIME ZONE 'UTC', updated_at + interval '1 microsecond')"
_PROBE = "SELECT 1 FROM tasks LIMIT 1"


class Task(NamedTuple):
    """A task's id, and the task as a JSON object in UTF-8."""

    id: int
    json: bytes


def list_tasks(database: Database) -> bytes:
    """All tasks as a JSON array, newest first."""
    row = database.read(_LIST)
    assert row is not None  # an aggregate without GROUP BY has one row
    return bytes(row[0], "utf-8")


def get_task(database: Database, task_id: int) -> bytes:
    """One task as a JSON object. Raises TaskNotFound."""
    row = database.read(_GET, (task_id,))
    if row is None:
        raise TaskNotFound
    return bytes(row[0], "utf-8")


def create_task(database: Database, values: dict[str, object]) -> Task:
    """Insert a task with validated `values`; the schema's defaults fill the rest."""
    names = [name for name in _NAMES if name in values]
    places = ", ".join(["%s"] * len(names))
    insert = f"INSERT INTO tasks ({', '.join(names)}) VALUES ({places})"
    return _change(database, insert, [values[name] for name in names])


def update_task(database: Database, task_id: int, values: dict[str, object]) -> Task:
    """Set validated `values` of one task. Raises TaskNotFound."""
    names = [name for name in _NAMES if name in values]
    update = (
        f"UPDATE tasks SET {', '.join(f'{name} = %s' for name in names)}, {_TOUCH} WHERE id = %s"
    )
    return _change(database, update, [*(values[name] for name in names), task_id])


def delete_task(database: Database, task_id: int) -> Task:
    """Delete one task and return what it was. Raises TaskNotFound."""
    return _change(database, "DELETE FROM tasks WHERE id = %s", [task_id])


def probe(database: Database) -> None:
    """Return if tasks can be read. Raises Unavailable."""
    database.read(_PROBE)


def count(tasks: bytes) -> int:
    """How many tasks a JSON array of `list_tasks` holds.

    Counts the openings of objects: within a JSON string the quote would be escaped, so none is
    found there.
    """
    return tasks.count(_TASK_START)


def is_task(payload: bytes) -> bool:
    """Whether `payload` is one task as this version writes it."""
    return _is_task(_decoded(payload))


def is_task_list(payload: bytes) -> bool:
    """Whether `payload` is an array of tasks as this version writes it."""
    tasks = _decoded(payload)
    return isinstance(tasks, list) and all(map(_is_task, tasks)) and len(tasks) == count(payload)


def _decoded(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _is_task(value: object) -> bool:
    return isinstance(value, dict) and list(value) == _NAMES


def _change(database: Database, statement: str, parameters: list[object]) -> Task:
    row = database.write(_CHANGE.format(statement), parameters)
    if row is None:
        raise TaskNotFound
    return Task(row[0], bytes(row[1], "utf-8"))
