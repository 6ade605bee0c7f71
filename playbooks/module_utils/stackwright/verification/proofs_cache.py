"""Proofs about the cache: that it is used, what it holds, and that every write invalidates it."""

from __future__ import annotations

import json
from typing import Any

from .context import Context
from .invalidation import Create, Delete, Update, Write, prove
from .promise import CACHE, DATABASE, BrokenPromiseError, Finding, promising
from .rows import rows_of, same
from .views import any_listing, kept_cached

KEY = "all_tasks"
_ATTEMPTS = 5


def cache(context: Context) -> Finding:
    """A repeated GET /tasks comes from the database, then from the cache, without a change in between."""
    any_listing().until_cached(context)
    # Creating a task is what makes the list cold: nobody else's cached values are dropped for this.
    with promising("create"):
        words = prove(context, Create())
    return Finding(f"a repeated GET /tasks: {words}", {"answers": words})


def create(context: Context) -> Finding:
    """Creating a task shows at once, in the list and by itself."""
    return _written(context, Create())


def update(context: Context) -> Finding:
    """Changing a task shows at once, in the list and by itself."""
    return _written(context, Update())


def delete(context: Context) -> Finding:
    """A deleted task is gone at once, from the list and by itself."""
    return _written(context, Delete())


def ttl(context: Context) -> Finding:
    """What is cached expires within the configured time."""
    most = context.target.cache_ttl
    for _ in range(_ATTEMPTS):
        with kept_cached(context):
            answer = context.redis("TTL", KEY)
        seconds = _integer(answer)
        if seconds == -1 or seconds > most:
            got = "no expiry" if seconds == -1 else f"{seconds} s"
            raise BrokenPromiseError(
                f"{KEY} lives from 1 to {most} s",
                got,
                fix="See whether the API runs with CACHE_TTL_SECONDS as rendered, and start it anew.",
            )
        if seconds >= 1:
            return Finding(f"{KEY} expires in {seconds} s (at most {most})", {"ttl": seconds})
        # 0 and -2: it expired, or somebody wrote, since the last look.
    raise BrokenPromiseError(
        f"{KEY} lives from 1 to {most} s",
        f"TTL {answer} right after GET /tasks came from the cache, {_ATTEMPTS} times",
        fix="See whether the API and this check talk to the same Redis (REDIS_HOST, REDIS_PORT).",
    )


def plain_json(context: Context) -> Finding:
    """The cached list is readable with redis-cli: plain JSON, one object per task."""
    for _ in range(_ATTEMPTS):
        with kept_cached(context):
            text = context.redis("GET", KEY)
        if text not in ("", "(nil)"):
            tasks = _tasks(text)
            return Finding(f"{KEY} is plain JSON, readable with redis-cli", {"tasks": len(tasks)})
    raise BrokenPromiseError(f"{KEY} holds the list", "nothing", role=CACHE)


def _written(context: Context, write: Write) -> Finding:
    words = prove(context, write)
    task = write.stored
    rows = rows_of(context, [task["id"]])
    if (task["id"] in rows) == write.deleted or not (write.deleted or same(rows[task["id"]], task)):
        raise BrokenPromiseError(
            f"SQL shows what the API acknowledged: {'no task' if write.deleted else task}",
            str(rows.get(task["id"], f"no task {task['id']}")),
            role=DATABASE,
        )
    return Finding(f"shows at once in list and task ({words})", {"answers": words})


def _integer(text: str) -> int:
    try:
        return int(text.removeprefix("(integer) "))
    except ValueError:
        raise BrokenPromiseError("a number from TTL", text[:80] or "nothing", role=CACHE) from None


def _tasks(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise BrokenPromiseError(f"{KEY} is plain JSON", text[:80]) from None
    tasks = value.get("tasks") if isinstance(value, dict) else value
    if not isinstance(tasks, list) or not all(
        isinstance(task, dict) and "id" in task for task in tasks
    ):
        raise BrokenPromiseError(f"{KEY} is a JSON list of tasks", text[:80])
    return tasks
