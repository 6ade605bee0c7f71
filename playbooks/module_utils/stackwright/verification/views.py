"""Looking at tasks through the cache: where a response came from, and whether it is up to date.

Other clients may read and write meanwhile. Their reads can fill a cache that a write has just emptied, and their
writes can empty one that was just filled; neither is a fault. A stale response after an acknowledged write is one at
once, and so is a task of our own that is never cached: nobody else writes to it.

Looking at the list costs no more for a long one. A short list is asked for. A long one, which the API makes from the
whole table and sends as a whole, is not: of that only what others had cached is looked at, in Redis, where its
beginning has the newest tasks. Either way a value that lacks an acknowledged write fails a check, and one that is not
there at all does not: it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from ..system import OutOfTimeError
from . import cached
from .client import Response, UnreachableError
from .context import Context
from .report import CheckFailed
from .tasks import moment

STALE = "The cache holds an older value: writes must invalidate the list and the task."
_LOOKS = 20
_PAUSE_SECONDS = 0.01  # times the number of looks so far: a second in all, for two looks each
_KEEP_SECONDS = 0.05
_MOST_TASKS, _MOST_BYTES = 1_000, 1_048_576
_SIZE = f"""SELECT json_build_object('tasks', count(*),
  'bytes', coalesce(sum(octet_length(t::text)), 0)) FROM (SELECT * FROM tasks LIMIT {_MOST_TASKS + 1}) t"""
_LIST_LOOKS = 4
_LIST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class View:
    """A resource and a judgement: empty if a response shows what was acknowledged, else what is wrong.

    Others' writes concern a ``shared`` one, too.
    """

    path: str
    judge: Callable[[Response], str]
    status: int = 200
    shared: bool = False

    def look(self, context: Context) -> str:
        """Ask once and return the response's source, empty for a 404. Raises CheckFailed if stale."""
        try:
            response = context.api.request("GET", self.path)
        except UnreachableError as error:
            expected = f"GET {self.path} answers {self.status}"
            raise CheckFailed(expected, str(error)) from None
        if response.status not in (200, 404):
            raise CheckFailed(f"GET {self.path} answers {self.status}", str(response))
        source = str(response.body.get("source", ""))
        if wrong := self.judge(response):
            raise CheckFailed(
                f"GET {self.path} shows every acknowledged change",
                f"{wrong} (source: {source or 'none'})",
                fix=STALE,
            )
        if response.status == 200 and source not in ("cache", "database"):
            raise CheckFailed(f"GET {self.path} names its source", str(response))
        return source

    def until_cached(self, context: Context) -> bool:
        """Look until a response comes from the cache; whether one did.

        None does from a list that others write to all the while. Raises CheckFailed, check ``cache``.
        """
        if self.status == 404:
            self.look(context)
            return True
        for looks in range(1, _LOOKS // 2 + 1):
            # One right after the other: the first fills what the second finds, if nobody writes in between.
            if self.look(context) == "cache" or self.look(context) == "cache":
                return True
            if (
                self.shared and context.list_stays_cold
            ):  # seen before: it need not be waited for again
                return False
            context.deadline.pause(looks * 2 * _PAUSE_SECONDS)
        if self.shared and cached.others_write(context):
            context.list_stays_cold = True
            return False
        raise CheckFailed(
            f"a repeated GET {self.path} comes from the cache",
            f"{_LOOKS} answers in a row from the database",
            check="cache",
            fix="See whether the API reaches Redis (GET /cache/stats) and whether Redis takes writes.",
        )


def single(task: dict[str, Any]) -> View:
    """One task, as it is."""

    def judge(response: Response) -> str:
        if response.status == 404:
            return f"task {task['id']} is missing"
        found = response.body.get("task")
        return "" if found == task else f"task {task['id']} as {found}"

    return View(f"/tasks/{task['id']}", judge)


def gone(task_id: int) -> View:
    """One task that was deleted."""

    def judge(response: Response) -> str:
        return "" if response.status == 404 else f"task {task_id} still exists"

    return View(f"/tasks/{task_id}", judge, 404)


def tasks_of(response: Response) -> list[dict[str, Any]]:
    """The tasks of a response to GET /tasks. Raises CheckFailed if it is no such response."""
    tasks, count = response.body.get("tasks"), response.body.get("count")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise CheckFailed("GET /tasks answers source, count and tasks", str(response))
    if count != len(tasks):
        raise CheckFailed("count is the number of tasks", f"{count} for {len(tasks)} tasks")
    return tasks


def is_short(context: Context) -> bool:
    """Whether the list may be asked for; looked up once in a verification. Raises CheckFailed."""
    if context.list_is_short is None:
        size = context.sql_json(_SIZE)
        context.list_is_short = size["tasks"] <= _MOST_TASKS and size["bytes"] <= _MOST_BYTES
    return context.list_is_short


def fill(context: Context) -> None:
    """Have the list in the cache, if it is short and as far as others' writes allow. Raises CheckFailed."""
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

    def judge(response: Response) -> str:
        return _wrong(tasks_of(response), task, shown, whole=True)

    return View("/tasks", judge, shared=True)


@dataclass
class CachedList:
    """What Redis has of a long list. ``task`` is one that it must show as it is, or must not, unless it is None."""

    task: dict[str, Any] | None
    shown: bool
    found: bool | None = None
    path = "/tasks"

    def look(self, context: Context) -> str:
        """Look, and return nothing: nobody asked, so there is no source. Raises CheckFailed if it is stale."""
        self.found = self._is_there(context)
        return ""

    def until_cached(self, context: Context) -> bool:
        """Whether there is a list in Redis, or was at the last look. Raises CheckFailed if it is stale."""
        if self.found is None:
            self.look(context)
        return bool(self.found)

    def _is_there(self, context: Context) -> bool:
        """Whether there is a list, as it must be. Raises CheckFailed if it is stale.

        One that the API itself does not believe any more, after an outage, goes within moments: it is looked at again.
        """
        for _ in range(_LIST_LOOKS):
            text = cached.beginning(context, cached.LIST_KEY)
            wrong = text and _wrong(cached.tasks_of(text), self.task, self.shown, whole=False)
            if not wrong:
                return bool(text)
            context.deadline.pause(_LIST_PAUSE_SECONDS)
        raise CheckFailed(f"{cached.LIST_KEY} shows every acknowledged change", wrong, fix=STALE)


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


@contextmanager
def kept_cached(context: Context, view: View) -> Iterator[None]:
    """Have a task of our own in the cache from here to the end of the block, however short its life there is."""
    view.until_cached(context)
    done = Event()

    def ask() -> None:
        api = context.client(context.deadline)
        with suppress(UnreachableError, OutOfTimeError):
            while not done.wait(_KEEP_SECONDS):
                api.request("GET", view.path)

    asking = Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
