"""The proof that a write empties the cache of what it changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import probes
from .cached import others_read
from .context import Context
from .list_views import CachedList, any_list, is_short, list_with, list_without
from .promise import BrokenPromiseError
from .views import View, gone, single

_ATTEMPTS = 5
Views = Sequence[View | CachedList]


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
        """Write, and return what every reader must see from now on."""


class Create(Write):
    """Creating a task: the list changes."""

    def prepare(self, context: Context) -> Views:  # noqa: D102
        return [any_list(context)]

    def perform(self, context: Context) -> Views:  # noqa: D102
        self.stored = probes.create(context)
        return [list_with(context, self.stored), single(self.stored)]


class Update(Write):
    """Changing a task: the list and the task change."""

    def prepare(self, context: Context) -> Views:  # noqa: D102
        self.stored = probes.create(context)
        return [list_with(context, self.stored), single(self.stored)]

    def perform(self, context: Context) -> Views:  # noqa: D102
        self.stored = probes.update(context, self.stored)
        return [list_with(context, self.stored), single(self.stored)]


class Delete(Write):
    """Deleting a task: the list changes and the task is gone, for good."""

    deleted = True

    def prepare(self, context: Context) -> Views:  # noqa: D102
        self.stored = probes.create(context)
        return [list_with(context, self.stored), single(self.stored)]

    def perform(self, context: Context) -> Views:  # noqa: D102
        probes.delete(context, self.stored)
        context.api.must("DELETE", f"/tasks/{self.stored['id']}", 404)
        return [list_without(context, self.stored), gone(self.stored["id"])]


@dataclass(frozen=True)
class Seen:
    """Where the first answers after a write came from, in words, and what could not be observed."""

    words: str
    unknown: str = ""


def prove(context: Context, write: Write) -> Seen:
    """Prove that after ``write`` the next answers come fresh from the database and the ones after from the cache.

    Raises:
        BrokenPromiseError: a stale answer, or one that never came from where it should.
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
    raise BrokenPromiseError(
        f"the first GET {path} after a write has source database",
        f"source cache after each of {_ATTEMPTS} writes",
        fix="Writes must delete the cached value, not replace it.",
    )


def _unseen(context: Context) -> str:
    if is_short(context):
        return "the list from the cache, which others' writes empty all the while"
    return "the list, too long to be asked for and not in Redis"
