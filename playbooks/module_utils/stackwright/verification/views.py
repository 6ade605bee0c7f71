"""Looking at tasks through the cache: where an answer came from, and whether it is up to date.

Other clients may read and write meanwhile. Their reads can fill a cache that a write has just emptied, and their
writes can empty one that was just filled; neither is a fault. A stale answer after an acknowledged write is one at
once, and so is a task of our own that is never cached: nobody else writes to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from ..system import OutOfTimeError
from .api import Answer, UnreachableError
from .cached import others_write
from .context import Context
from .promise import BrokenPromiseError

STALE = "The cache holds an older value: writes must invalidate the list and the task."
_LOOKS = 20
_PAUSE_SECONDS = 0.01  # times the number of looks so far: a second in all, for two looks each
_KEEP_SECONDS = 0.05


@dataclass(frozen=True)
class View:
    """A resource and a judgement: empty if an answer shows what was acknowledged, else what is wrong.

    Others' writes concern a ``shared`` one, too.
    """

    path: str
    judge: Callable[[Answer], str]
    status: int = 200
    shared: bool = False

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
                fix=STALE,
            )
        if answer.status == 200 and source not in ("cache", "database"):
            raise BrokenPromiseError(f"GET {self.path} names its source", str(answer))
        return source

    def until_cached(self, context: Context) -> bool:
        """Look until an answer comes from the cache; whether one did.

        None does from a list that others write to all the while. Raises BrokenPromiseError, promise ``cache``.
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
        if self.shared and others_write(context):
            context.list_stays_cold = True
            return False
        raise BrokenPromiseError(
            f"a repeated GET {self.path} comes from the cache",
            f"{_LOOKS} answers in a row from the database",
            promise="cache",
            fix="See whether the API reaches Redis (GET /cache/stats) and whether Redis takes writes.",
        )


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
def kept_cached(context: Context, view: View) -> Iterator[None]:
    """Have a task of our own in the cache from here to the end of the block, however short its life there is."""
    view.until_cached(context)
    done = Event()

    def ask() -> None:
        api = context.client(context.deadline)
        with suppress(UnreachableError, OutOfTimeError):
            while not done.wait(_KEEP_SECONDS):
                api.ask("GET", view.path)

    asking = Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
