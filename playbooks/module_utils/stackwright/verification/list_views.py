"""The list of tasks, which others change too, looked at in a way whose cost does not grow with it.

A short list is asked for. A long one, which the API makes from the whole table and sends as a whole, is not: of that
only what others had cached is looked at, in Redis, where its beginning has the newest tasks. Either way a value that
lacks an acknowledged write is a broken promise, and one that is not there at all is none: it is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import cached
from .api import Answer
from .context import Context
from .promise import BrokenPromiseError
from .times import moment
from .views import STALE, View, tasks_of

_MOST_TASKS, _MOST_BYTES = 1_000, 1_048_576
_SIZE = f"""SELECT json_build_object('tasks', count(*),
  'bytes', coalesce(sum(octet_length(title) + octet_length(description)), 0))
FROM (SELECT title, description FROM tasks LIMIT {_MOST_TASKS + 1}) t"""
_LOOKS = 4
_PAUSE_SECONDS = 0.5


def is_short(context: Context) -> bool:
    """Whether the list may be asked for; looked up once in a verification. Raises BrokenPromiseError."""
    if context.list_is_short is None:
        size = context.sql_json(_SIZE)
        context.list_is_short = size["tasks"] <= _MOST_TASKS and size["bytes"] <= _MOST_BYTES
    return context.list_is_short


def fill(context: Context) -> None:
    """Have the list in the cache, if it is short and as far as others' writes allow. Raises BrokenPromiseError."""
    if is_short(context):
        any_list(context).until_cached(context)


def any_list(context: Context) -> View | CachedList:
    """The list, whatever is in it."""
    return _list(context, None, shown=True)


def list_with(context: Context, task: dict[str, Any]) -> View | CachedList:
    """The list, which must show ``task`` as it is."""
    return _list(context, task, shown=True)


def list_without(context: Context, task: dict[str, Any]) -> View | CachedList:
    """The list, which must not show a deleted task."""
    return _list(context, task, shown=False)


def _list(context: Context, task: dict[str, Any] | None, *, shown: bool) -> View | CachedList:
    if not is_short(context):
        return CachedList(task, shown)

    def judge(answer: Answer) -> str:
        return _wrong(tasks_of(answer), task, shown, whole=True)

    return View("/tasks", judge, shared=True)


@dataclass
class CachedList:
    """What Redis has of a long list. ``task`` is one that it must show as it is, or must not, unless it is None."""

    task: dict[str, Any] | None
    shown: bool
    found: bool | None = None
    path = "/tasks"

    def look(self, context: Context) -> str:
        """Look, and return nothing: nobody asked, so there is no source. Raises BrokenPromiseError if it is stale."""
        self.found = self._is_there(context)
        return ""

    def until_cached(self, context: Context) -> bool:
        """Whether there is a list in Redis, or was at the last look. Raises BrokenPromiseError if it is stale."""
        if self.found is None:
            self.look(context)
        return bool(self.found)

    def _is_there(self, context: Context) -> bool:
        """Whether there is a list, as it must be. Raises BrokenPromiseError if it is stale.

        One that the API itself does not believe any more, after an outage, goes within moments: it is looked at again.
        """
        for _ in range(_LOOKS):
            text = cached.beginning(context, cached.LIST_KEY)
            wrong = text and _wrong(cached.tasks_of(text), self.task, self.shown, whole=False)
            if not wrong:
                return bool(text)
            context.deadline.pause(_PAUSE_SECONDS)
        raise BrokenPromiseError(
            f"{cached.LIST_KEY} shows every acknowledged change", wrong, fix=STALE
        )


def _wrong(
    tasks: list[dict[str, Any]], task: dict[str, Any] | None, shown: bool, *, whole: bool
) -> str:
    """What is wrong with tasks, newest first, of a list or of its beginning; empty if nothing is."""
    if task is None:
        return ""
    found = [one for one in tasks if one.get("id") == task["id"]]
    if not shown:
        return f"task {task['id']} is still listed" if found else ""
    if found:
        return "" if found == [task] else f"task {task['id']} as {found}"
    passed = whole or any(_place(one) < _place(task) for one in tasks)
    return f"task {task['id']} is missing" if passed else ""


def _place(task: Mapping[str, Any]) -> tuple[Any, int]:
    return moment(task.get("created_at")), int(task["id"])
