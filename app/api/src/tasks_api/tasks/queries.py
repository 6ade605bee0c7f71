"""All SQL about tasks.

A task leaves PostgreSQL as finished JSON (compact, members in the order of the model, timestamps in
ISO 8601), and goes into cache and answers as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from tasks_api.db.database import Database
from tasks_api.errors import ApiError, TaskNotFound
from tasks_api.http.conditional import Wanted
from tasks_api.tasks.models import NAMES

_COLUMNS = ", ".join(NAMES)
_LIST = f"""
    SELECT '[' || coalesce(
        string_agg(row_to_json(t)::text, ',' ORDER BY created_at DESC, id DESC), '') || ']'
    FROM (SELECT {_COLUMNS} FROM tasks) t"""
_GET = f"SELECT row_to_json(t)::text FROM (SELECT {_COLUMNS} FROM tasks WHERE id = %s) t"
RETURNING = f"RETURNING {_COLUMNS}"
"""Ends a statement named t, so that SHOWN can follow it."""
SHOWN = "SELECT id, row_to_json(t)::text FROM t"
_CHANGE = f"WITH t AS ({{}} {RETURNING}) {SHOWN}"
# updated_at must move on every change, even when the clock was set back.
_TOUCH = "updated_at = greatest(now() AT TIME ZONE 'UTC', updated_at + interval '1 microsecond')"
_IF_VERSION = " AND updated_at = ANY(%s::timestamp[])"
_UNLESS_VERSION = " AND updated_at <> ALL(%s::timestamp[])"
_EXISTS = "SELECT 1 FROM tasks WHERE id = %s"
_PROBE = "SELECT 1 FROM tasks LIMIT 1"


class Task(NamedTuple):
    """A task's id, and the task as a JSON object in UTF-8."""

    id: int
    json: bytes


class VersionMismatch(ApiError):
    """412: it is of no version that the client named in If-Match, or of one in If-None-Match."""

    status, code = 412, "version_mismatch"
    message = "It is not of the version that was asked for: read it again."


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


def insertion(values: dict[str, object]) -> tuple[str, list[object]]:
    """The INSERT of a task with validated `values`, the schema's defaults filling the rest."""
    names = [name for name in NAMES if name in values]
    places = ", ".join(["%s"] * len(names))
    statement = f"INSERT INTO tasks ({', '.join(names)}) VALUES ({places})"
    return statement, [values[name] for name in names]


def create_task(database: Database, values: dict[str, object]) -> Task:
    """Insert a task with validated `values`."""
    statement, parameters = insertion(values)
    row = database.write(_CHANGE.format(statement), parameters)
    assert row is not None
    return Task(row[0], bytes(row[1], "utf-8"))


def update_task(
    database: Database, task_id: int, values: dict[str, object], wanted: Wanted
) -> Task:
    """Set validated `values` of one task, if its version is a wanted one.

    Raises TaskNotFound, VersionMismatch.
    """
    names = [name for name in NAMES if name in values]
    assignments = ", ".join(f"{name} = %s" for name in names)
    statement = f"UPDATE tasks SET {assignments}, {_TOUCH} WHERE id = %s"
    return _change(database, statement, [values[name] for name in names], task_id, wanted)


def delete_task(database: Database, task_id: int, wanted: Wanted) -> Task:
    """Delete one task and return what it was, if its version is a wanted one.

    Raises TaskNotFound, VersionMismatch.
    """
    return _change(database, "DELETE FROM tasks WHERE id = %s", [], task_id, wanted)


def probe(database: Database) -> None:
    """Return if tasks can be read. Raises Unavailable."""
    database.read(_PROBE)


def _change(
    database: Database,
    statement: str,
    parameters: list[object],
    task_id: int,
    wanted: Wanted,
) -> Task:
    parameters = [*parameters, task_id]
    if wanted.only is not None:
        statement, parameters = statement + _IF_VERSION, [*parameters, wanted.only]
    if wanted.never:
        statement, parameters = statement + _UNLESS_VERSION, [*parameters, wanted.never]
    row = database.write(_CHANGE.format(statement), parameters)
    if row is None:
        if (wanted.only is not None or wanted.never) and database.read(_EXISTS, (task_id,)):
            raise VersionMismatch
        raise TaskNotFound
    return Task(row[0], bytes(row[1], "utf-8"))
