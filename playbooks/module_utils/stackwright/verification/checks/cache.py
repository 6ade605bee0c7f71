"""Checks of the cache: that it is used, what it holds, and that every write empties it of what it changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import tasks
from ..cached import (
    LIST_KEY,
    beginning,
    milliseconds_left,
    others_read,
    task_key,
    task_of,
    tasks_of,
)
from ..context import Context
from ..report import CACHE, DATABASE, CheckFailed, Finding, belonging_to
from ..views import (
    CachedList,
    View,
    any_list,
    fill,
    gone,
    is_short,
    kept_cached,
    list_with,
    list_without,
    single,
)

_ATTEMPTS = 5
Views = Sequence[View | CachedList]


def cache(context: Context) -> Finding:
    """A repeated GET, of the list and of a task, comes from the database, then from the cache."""
    fill(context)
    # Creating a task is what makes the list cold: nobody else's cached values are dropped for this.
    with belonging_to("create"):
        seen = _observe(context, Create())
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
    probe = tasks.create(context)
    key = task_key(probe["id"])
    with kept_cached(context, single(probe)):
        for _ in range(_ATTEMPTS):
            left = milliseconds_left(context, key)
            if left == -1 or left > 0:  # else it expired, or Redis evicted it: memory was short
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
    probe = tasks.create(context)
    key = task_key(probe["id"])
    with kept_cached(context, single(probe)):
        for _ in range(_ATTEMPTS):
            if text := beginning(context, key):
                break
    if task_of(text or "null", key) != probe:
        raise CheckFailed(f"{key} holds {probe} as plain JSON", text[:200] or "nothing", role=CACHE)
    fill(context)
    text = beginning(context, LIST_KEY)
    listed = tasks_of(text) if text else []
    names = f"{LIST_KEY} and {key} are" if text else f"{key} is"
    return Finding(
        f"{names} plain JSON, readable with redis-cli", {"tasks": len(listed)}, _unknown(bool(text))
    )


def _expires(context: Context, key: str, left: int) -> None:
    """Judge what PTTL says. Raises CheckFailed."""
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
    raise CheckFailed(f"{key} lives for at most {most} s", got, fix=fix)


def _unknown(seen: bool) -> str:
    return "" if seen else f"{LIST_KEY}, which was not in Redis when it was looked at"


def _written(context: Context, write: Write) -> Finding:
    seen = _observe(context, write)
    task = write.stored
    rows = tasks.rows_of(context, [task["id"]])
    if (task["id"] in rows) == write.deleted or not (
        write.deleted or tasks.same(rows[task["id"]], task)
    ):
        raise CheckFailed(
            f"SQL shows what the API acknowledged: {'no task' if write.deleted else task}",
            str(rows.get(task["id"], f"no task {task['id']}")),
            role=DATABASE,
        )
    text = f"shows at once in list and task ({seen.words})"
    return Finding(text, {"answers": seen.words}, seen.unknown)


class Write(ABC):
    """A write to a probe, repeatable: ``prepare``, then ``perform``."""

    # The task that SQL must hold in the end, as acknowledged, or its id alone if it must be gone.
    stored: dict[str, Any]
    deleted = False

    @abstractmethod
    def prepare(self, context: Context) -> Views:
        """Make the write possible and return the views that have to be cached before it."""

    @abstractmethod
    def perform(self, context: Context) -> Views:
        """Write, and return what every reader must see afterwards."""


class Create(Write):
    """Creating a task: the list changes."""

    def prepare(self, context: Context) -> Views:  # noqa: D102
        return [any_list(context)]

    def perform(self, context: Context) -> Views:  # noqa: D102
        self.stored = tasks.create(context)
        return [list_with(context, self.stored), single(self.stored)]


class Update(Write):
    """Changing a task: the list and the task change."""

    def prepare(self, context: Context) -> Views:  # noqa: D102
        self.stored = tasks.create(context)
        return [list_with(context, self.stored), single(self.stored)]

    def perform(self, context: Context) -> Views:  # noqa: D102
        self.stored = tasks.update(context, self.stored)
        return [list_with(context, self.stored), single(self.stored)]


class Delete(Write):
    """Deleting a task: the list changes and the task is gone, for good."""

    deleted = True

    def prepare(self, context: Context) -> Views:  # noqa: D102
        self.stored = tasks.create(context)
        return [list_with(context, self.stored), single(self.stored)]

    def perform(self, context: Context) -> Views:  # noqa: D102
        tasks.delete(context, self.stored)
        context.api.expect("DELETE", f"/tasks/{self.stored['id']}", 404)
        return [list_without(context, self.stored), gone(self.stored["id"])]


@dataclass(frozen=True)
class Seen:
    """Where the first responses after a write came from, in words, and what could not be observed."""

    words: str
    unknown: str = ""


def _observe(context: Context, write: Write) -> Seen:
    """Observe that after ``write`` the next responses come fresh from the database and the ones after from the cache.

    Raises:
        CheckFailed: a stale response, or one that never came from where it should.
    """
    for _ in range(_ATTEMPTS):
        cached = [view.until_cached(context) for view in write.prepare(context)]
        views = write.perform(context)
        first = [view.look(context) for view in views]
        cached += [view.until_cached(context) for view in views]
        unknown = "" if all(cached) else _unseen(context)
        if "cache" not in first:
            return Seen("database, then cache", unknown)
    if others_read(context):
        return Seen("fresh each time, though other readers filled the cache first", unknown)
    path = views[first.index("cache")].path
    raise CheckFailed(
        f"the first GET {path} after a write has source database",
        f"source cache after each of {_ATTEMPTS} writes",
        fix="Writes must delete the cached value, not replace it.",
    )


def _unseen(context: Context) -> str:
    if is_short(context):
        return "the list from the cache, which others' writes empty all the while"
    return "the list, too long to be asked for and not in Redis"
