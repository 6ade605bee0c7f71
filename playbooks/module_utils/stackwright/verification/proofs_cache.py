"""Proofs about the cache: that it is used, what it holds, and that every write invalidates it."""

from __future__ import annotations

from . import probes
from .cached import LIST_KEY, beginning, milliseconds_left, task_key, task_of, tasks_of
from .context import Context
from .invalidation import Create, Delete, Update, Write, prove
from .list_views import fill
from .promise import CACHE, DATABASE, BrokenPromiseError, Finding, promising
from .rows import rows_of, same
from .views import kept_cached, single

_ATTEMPTS = 5


def cache(context: Context) -> Finding:
    """A repeated GET, of the list and of a task, comes from the database, then from the cache."""
    fill(context)
    # Creating a task is what makes the list cold: nobody else's cached values are dropped for this.
    with promising("create"):
        seen = prove(context, Create())
    return Finding(f"a repeated GET: {seen.words}", {"answers": seen.words}, seen.unknown)


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
    probe = probes.create(context)
    key = task_key(probe["id"])
    with kept_cached(context, single(probe)):
        for _ in range(_ATTEMPTS):
            left = milliseconds_left(context, key)
            if left == -1 or left > 0:  # else it expired, or Redis put it out for want of memory
                break
    _expires(context, key, left)
    fill(context)
    found = {key: left, LIST_KEY: milliseconds_left(context, LIST_KEY)}
    if found[LIST_KEY] in (0, -2):
        del found[LIST_KEY]
    else:
        _expires(context, LIST_KEY, found[LIST_KEY])
    seconds = {name: round(left / 1000, 1) for name, left in found.items()}
    words = " and ".join(f"{name} in {left:g} s" for name, left in seconds.items())
    most = context.target.cache_ttl
    return Finding(
        f"expires: {words} (at most {most})", {"ttl": seconds}, _unknown(LIST_KEY in found)
    )


def plain_json(context: Context) -> Finding:
    """What is cached is readable with redis-cli: plain JSON, one object per task."""
    probe = probes.create(context)
    key = task_key(probe["id"])
    with kept_cached(context, single(probe)):
        for _ in range(_ATTEMPTS):
            if text := beginning(context, key):
                break
    if task_of(text or "null", key) != probe:
        raise BrokenPromiseError(
            f"{key} holds {probe} as plain JSON", text[:200] or "nothing", role=CACHE
        )
    fill(context)
    text = beginning(context, LIST_KEY)
    tasks = tasks_of(text) if text else []
    names = f"{LIST_KEY} and {key} are" if text else f"{key} is"
    return Finding(
        f"{names} plain JSON, readable with redis-cli", {"tasks": len(tasks)}, _unknown(bool(text))
    )


def _expires(context: Context, key: str, left: int) -> None:
    """Judge what PTTL says. Raises BrokenPromiseError."""
    most = context.target.cache_ttl
    if 0 < left <= most * 1000:
        return
    got = f"{left / 1000:g} s"
    fix = "See whether the API runs with CACHE_TTL_SECONDS as rendered, and start it anew."
    if left == -1:
        got = "no expiry"
    elif left in (0, -2):
        got = f"PTTL {left} right after GET /tasks/… came from the cache, {_ATTEMPTS} times"
        fix = "See whether the API and this check talk to the same Redis (REDIS_HOST, REDIS_PORT)."
    raise BrokenPromiseError(f"{key} lives for at most {most} s", got, fix=fix)


def _unknown(seen: bool) -> str:
    return "" if seen else f"{LIST_KEY}, which was not in Redis when it was looked at"


def _written(context: Context, write: Write) -> Finding:
    seen = prove(context, write)
    task = write.stored
    rows = rows_of(context, [task["id"]])
    if (task["id"] in rows) == write.deleted or not (write.deleted or same(rows[task["id"]], task)):
        raise BrokenPromiseError(
            f"SQL shows what the API acknowledged: {'no task' if write.deleted else task}",
            str(rows.get(task["id"], f"no task {task['id']}")),
            role=DATABASE,
        )
    text = f"shows at once in list and task ({seen.words})"
    return Finding(text, {"answers": seen.words}, seen.unknown)
