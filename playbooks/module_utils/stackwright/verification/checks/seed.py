"""The check that the tasks which the schema brings are there, through the API and through SQL.

What its owner did with a task since is no failure: such a task only has to look the same from both sides. A row
that differs from its seed was changed since if ``updated_at`` is later than ``created_at`` (the API moves it on every
change), or if it is not the version that a migration's transaction wrote (a change with psql; see xmin in the
PostgreSQL manual, "System Columns"). A row was deleted if its id is missing although the id sequence has passed it;
otherwise it was never inserted.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..cached import task_key
from ..context import Context
from ..report import DATABASE, CheckFailed, Finding
from ..target import SeedTask
from ..tasks import moment, rows_of, same

_ATTEMPTS = 4
_LAST_ID = """SELECT json_build_object('last_id',
  coalesce(pg_sequence_last_value(pg_get_serial_sequence('tasks', 'id')::regclass), 0))"""


def seed(context: Context) -> Finding:
    """The seed rows, exactly, unless their owner changed or deleted them."""
    seeds = context.target.seed_tasks
    if not seeds:
        return Finding("none is expected")
    ids = [task.id for task in seeds]
    moving: list[int] = []
    for attempt in range(_ATTEMPTS):
        rows = rows_of(context, ids)
        shown = {one: _from_api(context, one) for one in ids}
        differing = [one for one in ids if _differ(rows.get(one), shown[one])]
        if not differing:
            moving = []
            break
        after = rows_of(context, ids)
        moving = [one for one in differing if rows.get(one) != after.get(one)]
        if attempt == _ATTEMPTS - 1 and moving != differing:
            one = next(one for one in differing if one not in moving)
            raise CheckFailed(
                f"GET /tasks/{one} and SQL agree about task {one}",
                f"SQL: {rows.get(one)}; API: {shown[one]}",
            )
        # Somebody writes to it now, or wrote past the API with psql: then it is cached for as long as its TTL, unless
        # that is dropped, which does no harm.
        context.redis("DEL", *(task_key(one) for one in differing))
    last_id = int(context.sql_json(_LAST_ID)["last_id"])
    kinds = {task.id: _kind(task, rows.get(task.id), last_id) for task in seeds}
    found = [task_id for task_id, kind in kinds.items() if kind != "deleted"]
    context.seeded_tasks = len(found)
    unknown = [
        f"whether API and SQL agree about task {one}, which is being changed" for one in moving
    ]
    evidence = {"tasks": {str(task_id): kind for task_id, kind in kinds.items()}}
    return Finding(_words(kinds), evidence, "; ".join(unknown))


def _from_api(context: Context, task_id: int) -> dict[str, Any] | None:
    """A task as the API shows it, None where it shows none. Raises CheckFailed."""
    response = context.api.expect("GET", f"/tasks/{task_id}", (200, 404))
    task = response.body.get("task") if response.status == 200 else None
    return task if isinstance(task, dict) else None


def _differ(row: dict[str, Any] | None, task: dict[str, Any] | None) -> bool:
    if row is None or task is None:
        return row is not task
    return not same(row, task)


def _kind(task: SeedTask, row: dict[str, Any] | None, last_id: int) -> str:
    """``as seeded``, ``changed`` or ``deleted``. Raises CheckFailed for anything else."""
    wanted = asdict(task)
    if row is None:
        if last_id >= task.id:
            return "deleted"
        raise CheckFailed(
            f"seeded task {task.id} '{task.title}'",
            f"no such row, and the id sequence is at {last_id}: it was never inserted",
            role=DATABASE,
            fix="The seed did not run to its end: read the database's log and start again.",
        )
    stored = row["task"]
    got = {name: stored[name] for name in wanted}
    if got == wanted:
        return "as seeded"
    if row["rewritten"] or moment(stored["updated_at"]) != moment(stored["created_at"]):
        return "changed"
    raise CheckFailed(
        f"seeded task {task.id} is {wanted}",
        f"{got}, and it was not changed since",
        role=DATABASE,
        fix="Compare the seed migration under app/database/migrations with what the settings expect.",
    )


def _words(kinds: dict[int, str]) -> str:
    counts = {
        kind: list(kinds.values()).count(kind) for kind in ("as seeded", "changed", "deleted")
    }
    text = f"{len(kinds) - counts['deleted']} seeded tasks found, through the API and through SQL"
    since = [f"{counts[kind]} {kind}" for kind in ("changed", "deleted") if counts[kind]]
    return f"{text} ({', '.join(since)} since)" if since else text
