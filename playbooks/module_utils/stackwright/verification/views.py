"""Looking at tasks through the cache: where an answer came from, and whether it is up to date.

Other clients may read and write meanwhile. Their reads can fill a cache that a write has just emptied, and their
writes can empty one that was just filled; both look like a fault once, but not always. A stale answer after an
acknowledged write is a fault at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from .api import Answer, UnreachableError
from .context import Context
from .deadline import OutOfTimeError
from .promise import BrokenPromiseError

_LOOKS = 20
_PAUSE_SECONDS = 0.005  # times the number of looks so far: a second in all


@dataclass(frozen=True)
class View:
    """A resource and a judgement: empty if an answer shows what was acknowledged, else what is wrong."""

    path: str
    judge: Callable[[Answer], str]
    status: int = 200

    def look(self, context: Context) -> str:
        """Ask once and return the answer's source, empty for a 404. Raises BrokenPromiseError if stale."""
        try:
            answer = context.api.ask("GET", self.path)
        except UnreachableError as error:
            expected = f"GET {self.path} answers {self.status}"
            raise BrokenPromiseError(expected, str(error)) from None
        if answer.status not in (200, 404):
            raise BrokenPromiseError(f"GET {self.path} answers {self.status}", str(answer))
        source = str(answer.body.get("source", ""))
        if wrong := self.judge(answer):
            raise BrokenPromiseError(
                f"GET {self.path} shows every acknowledged change",
                f"{wrong} (source: {source or 'none'})",
                fix="The cache holds an older value: writes must invalidate the list and the task.",
            )
        if answer.status == 200 and source not in ("cache", "database"):
            raise BrokenPromiseError(f"GET {self.path} names its source", str(answer))
        return source

    def until_cached(self, context: Context) -> None:
        """Look until an answer comes from the cache. Raises BrokenPromiseError, promise ``cache``."""
        if self.status == 404:
            self.look(context)
            return
        for looks in range(1, _LOOKS + 1):
            if self.look(context) == "cache":
                return
            context.deadline.pause(looks * _PAUSE_SECONDS)
        raise BrokenPromiseError(
            f"a repeated GET {self.path} comes from the cache",
            f"{_LOOKS} answers in a row from the database",
            promise="cache",
            fix="See whether the API reaches Redis (GET /cache/stats) and whether Redis takes writes.",
        )


def listing(task: dict[str, Any]) -> View:
    """The list of tasks, which must show ``task`` as it is."""

    def judge(answer: Answer) -> str:
        found = [one for one in tasks_of(answer) if one.get("id") == task["id"]]
        if not found:
            return f"task {task['id']} is missing"
        return "" if found == [task] else f"task {task['id']} as {found}"

    return View("/tasks", judge)


def listing_without(task_id: int) -> View:
    """The list of tasks, which must not show a deleted one."""

    def judge(answer: Answer) -> str:
        ids = [one.get("id") for one in tasks_of(answer)]
        return f"task {task_id} is still listed" if task_id in ids else ""

    return View("/tasks", judge)


def any_listing() -> View:
    """The list of tasks, whatever is in it."""

    def judge(answer: Answer) -> str:
        tasks_of(answer)
        return ""

    return View("/tasks", judge)


def single(task: dict[str, Any]) -> View:
    """One task, as it is."""

    def judge(answer: Answer) -> str:
        if answer.status == 404:
            return f"task {task['id']} is missing"
        found = answer.body.get("task")
        return "" if found == task else f"task {task['id']} as {found}"

    return View(f"/tasks/{task['id']}", judge)


def gone(task_id: int) -> View:
    """One task that was deleted."""

    def judge(answer: Answer) -> str:
        return "" if answer.status == 404 else f"task {task_id} still exists"

    return View(f"/tasks/{task_id}", judge, 404)


def tasks_of(answer: Answer) -> list[dict[str, Any]]:
    """The tasks of an answer to GET /tasks. Raises BrokenPromiseError if it is no such answer."""
    tasks, count = answer.body.get("tasks"), answer.body.get("count")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise BrokenPromiseError("GET /tasks answers source, count and tasks", str(answer))
    if count != len(tasks):
        raise BrokenPromiseError("count is the number of tasks", f"{count} for {len(tasks)} tasks")
    return tasks


@contextmanager
def kept_cached(context: Context) -> Iterator[None]:
    """Have the list in the cache from here to the end of the block, as far as others' writes allow.

    Starting redis-cli takes long enough for a busy environment's next write: the list is asked for all the while.
    """
    any_listing().until_cached(context)
    done = Event()

    def ask() -> None:
        api = context.client(context.deadline)
        with suppress(UnreachableError, OutOfTimeError):
            while not done.wait(_PAUSE_SECONDS):
                api.ask("GET", "/tasks")

    asking = Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
