"""Checks of single values, and of a JSON object against a list of fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks_api.errors import TaskNotFound, Unprocessable

Check = Callable[[object], str | None]
"""Takes a value as decoded from JSON; returns what is wrong with it as a sentence, or None."""

LARGEST_ID = 2**31 - 1
"""PostgreSQL's `integer`, the type of a task's id."""

# PostgreSQL's text holds no NUL, and UTF-8 no surrogate: both are legal in JSON as \u escapes.
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
_ID = re.compile(r"[1-9][0-9]{0,9}")
_MOST_UNKNOWN_REPORTED = 10


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource. Without a `check` clients cannot set it."""

    name: str
    check: Check | None = None
    required: bool = False


def text(*, longest: int | None = None, blank: bool = True) -> Check:
    """A check for a string of at most `longest` code points, `blank` or not."""

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "Must be a string."
        if _NOT_STORABLE.search(value):
            return "Must not hold NUL characters or lone surrogates."
        if not blank and not value.strip():
            return "Must not be blank."
        if longest is not None and len(value) > longest:
            return f"Must have at most {longest} characters."
        return None

    return check


def choice(*allowed: str) -> Check:
    """A check for one of the strings `allowed`."""

    def check(value: object) -> str | None:
        return None if value in allowed else f"Must be one of {', '.join(allowed)}."

    return check


def validate(
    data: dict[str, object], fields: Iterable[Field], *, partial: bool
) -> dict[str, object]:
    """Return `data` if it sets nothing but settable `fields`, all correctly.

    Args:
        data: a decoded JSON object.
        fields: the resource's fields.
        partial: an update: required fields may be absent, but not all fields.

    Raises:
        Unprocessable: 422 with a reason for each wrong, missing or unknown field.
    """
    settable = {field.name: field for field in fields if field.check}
    problems: dict[str, str] = {}
    for name in [name for name in data if name not in settable][:_MOST_UNKNOWN_REPORTED]:
        problems[name[:100]] = "Is no field that can be set."
    for name, field in settable.items():
        if name in data:
            problem = field.check(data[name]) if field.check else None
        else:
            problem = "Is required." if field.required and not partial else None
        if problem:
            problems[name] = problem
    if problems:
        raise Unprocessable("Some fields are missing or not acceptable.", problems)
    if not data:
        raise Unprocessable(f"Give at least one of {', '.join(settable)}.")
    return data


def task_id(text: str) -> int:
    """The id in a path segment, decimal without leading zero: one task has one address.

    Raises:
        TaskNotFound: 404, it is none that a task can have.
    """
    number = int(text) if _ID.fullmatch(text) else 0
    if not 1 <= number <= LARGEST_ID:
        raise TaskNotFound
    return number
