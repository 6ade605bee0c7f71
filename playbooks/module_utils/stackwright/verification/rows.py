"""Tasks as SQL shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .context import Context
from .times import moment

TEXTS = ("title", "description", "status")
_TIMES = ("created_at", "updated_at")
_SELECT = """SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
  SELECT id, title, description, status, created_at, updated_at,
    xmin::text AS version, xmin::text NOT IN (SELECT xmin::text FROM schema_migrations) AS rewritten
  FROM tasks WHERE id IN ({ids})) t"""


def rows_of(context: Context, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The tasks with these ids, by id. Raises BrokenPromiseError.

    ``version`` changes with every change of a row; ``rewritten`` is false for one that is still as the transaction of a
    migration left it.
    """
    found = context.sql_json(_SELECT.format(ids=", ".join(str(int(one)) for one in ids)))
    return {row["id"]: row for row in found}


def same(row: Mapping[str, Any], task: Mapping[str, Any]) -> bool:
    """Whether a row of SQL and a task of the API say the same."""
    texts = all(row[name] == task.get(name) for name in TEXTS)
    return texts and all(moment(row[name]) == moment(task.get(name)) for name in _TIMES)
