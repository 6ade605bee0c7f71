"""The proof that a write empties the cache of what it changed."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any

from . import probes
from .context import Context
from .promise import BrokenPromiseError
from .views import View, any_listing, gone, listing, listing_without, single

_ATTEMPTS = 5
_POLLS = 10
_POLL_SECONDS = 0.1
_LOOKUPS = re.compile(r"^keyspace_(?:hits|misses):(\d+)", re.MULTILINE)


class Write(ABC):
    """A write to a probe, repeatable: ``prepare``, then ``perform``."""

    # The task that SQL must hold in the end, as acknowledged, or its id alone if it must be gone.
    stored: dict[str, Any]
    deleted = False

    @abstractmethod
    def prepare(self, context: Context) -> list[View]:
        """Make the write possible and return the views that have to be cached before it."""

    @abstractmethod
    def perform(self, context: Context) -> list[View]:
        """Write, and return what every reader must see from now on."""


class Create(Write):
    """Creating a task: the list changes."""

    def prepare(self, context: Context) -> list[View]:  # noqa: D102
        return [any_listing()]

    def perform(self, context: Context) -> list[View]:  # noqa: D102
        self.stored = probes.create(context)
        return [listing(self.stored), single(self.stored)]


class Update(Write):
    """Changing a task: the list and the task change."""

    def prepare(self, context: Context) -> list[View]:  # noqa: D102
        self.stored = probes.create(context)
        return [listing(self.stored), single(self.stored)]

    def perform(self, context: Context) -> list[View]:  # noqa: D102
        self.stored = probes.update(context, self.stored)
        return [listing(self.stored), single(self.stored)]


class Delete(Write):
    """Deleting a task: the list changes and the task is gone, for good."""

    deleted = True

    def prepare(self, context: Context) -> list[View]:  # noqa: D102
        self.stored = probes.create(context)
        return [listing(self.stored), single(self.stored)]

    def perform(self, context: Context) -> list[View]:  # noqa: D102
        probes.delete(context, self.stored)
        context.api.must("DELETE", f"/tasks/{self.stored['id']}", 404)
        return [listing_without(self.stored["id"]), gone(self.stored["id"])]


def prove(context: Context, write: Write) -> str:
    """Prove that after ``write`` the next answers come fresh from the database and the ones after from the cache.

    Returns:
        where the first answers came from, in words.

    Raises:
        BrokenPromiseError: a stale answer, or one that never came from where it should.
    """
    for _ in range(_ATTEMPTS):
        for view in write.prepare(context):
            view.until_cached(context)
        views = write.perform(context)
        first = [view.look(context) for view in views]
        for view in views:
            view.until_cached(context)
        if "cache" not in first:
            return "database, then cache"
    if others_read(context):
        return "fresh each time, though other readers filled the cache first"
    path = views[first.index("cache")].path
    raise BrokenPromiseError(
        f"the first GET {path} after a write has source database",
        f"source cache after each of {_ATTEMPTS} writes",
        fix="Writes must delete the cached value, not replace it.",
    )


def others_read(context: Context) -> bool:
    """Whether somebody else looks up keys in Redis right now."""
    before = _lookups(context)
    for _ in range(_POLLS):
        context.deadline.pause(_POLL_SECONDS)
        if _lookups(context) > before:
            return True
    return False


def _lookups(context: Context) -> int:
    return sum(int(number) for number in _LOOKUPS.findall(context.redis("INFO", "stats")))
