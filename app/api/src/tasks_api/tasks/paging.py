"""GET /tasks with a query: some of the tasks, in pages.

A page starts after the last task of the one before (keyset pagination), so it costs the same
wherever it is, and tasks created meanwhile neither repeat nor hide one. Pages are not cached.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from tasks_api.db.database import Database
from tasks_api.tasks.models import FILTERS, NAMES
from tasks_api.tasks.models import Task as TaskModel

_COLUMNS = ", ".join(NAMES)
# The function and its index are in the migrations. The last word may be the start of one.
_WORDS = (
    "tasks_words(title, description) @@"
    " (nullif(plainto_tsquery('simple', tasks_plain(%s))::text, '') || ':*')::tsquery"
)
_AFTER = "(created_at, id) < (%s, %s)"
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
# Microseconds since 1970 and an id, so that all of this form are places in the order of tasks.
# Without the (?!\n) Python's $ would allow a newline after it.
_CURSOR = r"^-?[0-9]{1,16}\.[1-9][0-9]{0,9}(?!\n)$"


class _PageQuery(Struct):
    q: (
        Annotated[
            str,
            Meta(
                description="Words in title or description, 1 to 200 characters without NUL;"
                " the last one may be the start of a word.",
                examples=["redis cach"],
                min_length=1,
                max_length=200,
                pattern=r"^[^\u0000]*$",
            ),
        ]
        | UnsetType
    ) = UNSET
    limit: Annotated[
        int,
        Meta(description="A whole number from 1 to 500.", examples=[20], ge=1, le=500),
    ] = 50
    cursor: (
        Annotated[
            str,
            Meta(
                description="The next_cursor of the page before.",
                examples=["1769860800123456.1"],
                pattern=_CURSOR,
            ),
        ]
        | UnsetType
    ) = UNSET


TaskQuery = defstruct(
    "TaskQuery",
    [(name, kind | UnsetType, UNSET) for name, kind in FILTERS],
    bases=(_PageQuery,),
    namespace={"__doc__": "Which tasks GET /tasks shows. Without any of these: all."},
)


class Page(NamedTuple):
    """Tasks as a JSON array, and the cursor of the page after them, if there is one."""

    tasks: bytes
    next_cursor: str | None


def read_page(database: Database, query: Any) -> Page:
    """The tasks that `query`, a TaskQuery, asks for, newest first. Raises Unavailable."""
    conditions: list[str] = []
    parameters: list[object] = []
    for name, _ in FILTERS:
        if (value := getattr(query, name)) is not UNSET:
            conditions.append(f"{name} = %s")
            parameters.append(value)
    if query.q is not UNSET:
        conditions.append(_WORDS)
        parameters.append(query.q)
    if query.cursor is not UNSET:
        conditions.append(_AFTER)
        parameters += _position(query.cursor)
    row = database.read(
        f"""
        SELECT array_agg(row_to_json(t)::text ORDER BY created_at DESC, id DESC) FROM (
            SELECT {_COLUMNS} FROM tasks WHERE {" AND ".join(conditions) or "true"}
            ORDER BY created_at DESC, id DESC LIMIT %s) t""",
        [*parameters, query.limit + 1],
        prepare=False,  # rare words are best found in one index, frequent ones in another
    )
    found: list[str] = (row and row[0]) or []
    shown = found[: query.limit]
    cursor = _cursor(shown[-1]) if len(found) > len(shown) else None
    return Page(f"[{','.join(shown)}]".encode(), cursor)


def _cursor(task: str) -> str:
    last = msgspec.json.decode(task, type=TaskModel)
    return f"{(datetime.fromisoformat(last.created_at) - _EPOCH) // _MICROSECOND}.{last.id}"


def _position(cursor: str) -> tuple[datetime, int]:
    microseconds, _, number = cursor.partition(".")
    return _EPOCH + int(microseconds) * _MICROSECOND, int(number)
