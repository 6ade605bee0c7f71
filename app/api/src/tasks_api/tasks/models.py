"""What a task is: the one declaration behind validation, SQL, filters, responses and /openapi.json.

A new field of a task is a column in a migration and one declaration in `Task`. With FILTER in its
Meta, GET /tasks also takes it as a parameter.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, defstruct
from msgspec.structs import fields

LARGEST_ID = 2**31 - 1
"""PostgreSQL's `integer`, the type of a task's id."""
FILTER = {"filter": True}
"""As `extra` of a field's Meta: GET /tasks shows on request only the tasks with one value of it."""

# Patterns mean the same to Python, to ECMA-262, which JSON Schema follows, and to Rust: \\s would not.
# What shows nothing, which `tests/api/test_bad_input.py` compares with Unicode's own data: controls,
# spaces, formats (categories C and Z), default ignorables and blank letters. Beyond U+FFFF the
# characters themselves, for which there is no escape that all three know.
_BLANK = (
    r"\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f"
    r"\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)

# Each description says what a value must be, also to who sent another one. PostgreSQL's text cannot
# hold NUL.
Id = Annotated[
    int,
    Meta(
        description="A whole number from 1 to 2147483647.",
        examples=[1],
        ge=1,
        le=LARGEST_ID,
        extra_json_schema={"readOnly": True},
    ),
]
Title = Annotated[
    str,
    Meta(
        description="Text of 1 to 255 characters, not blank and without NUL.",
        examples=["Write the report"],
        min_length=1,
        max_length=255,
        pattern=rf"^[{_BLANK}]*[^\u0000{_BLANK}][^\u0000]*$",
    ),
]
Description = Annotated[
    str,
    Meta(
        description="Text without NUL.",
        examples=["With this year's figures"],
        pattern=r"^[^\u0000]*$",
    ),
]
Status = Annotated[
    Literal["pending", "in_progress", "completed"],
    Meta(
        description="One of pending, in_progress, completed.",
        examples=["in_progress"],
        extra_json_schema={"type": "string"},
        extra=FILTER,
    ),
]
Moment = Annotated[
    str,
    Meta(
        description="Date and time in UTC, ISO 8601 without a zone.",
        examples=["2026-01-31T12:00:00.123456"],
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$",
        extra_json_schema={"readOnly": True},
    ),
]


class Task(Struct, kw_only=True):
    """A task. Clients set what is not read-only, and may leave out what has a default."""

    id: Id
    title: Title
    description: Description = ""
    status: Status = "pending"
    created_at: Moment
    updated_at: Moment


NAMES = Task.__struct_fields__
"""A task's members, in the order in which it shows them."""


_PLAIN = get_type_hints(Task)
"""The types of the members, without what clients are told and held to."""


def _meta(field: Any) -> Meta:
    """What is said of a field. Raises TypeError if that lacks what clients are told."""
    meta = next(iter(getattr(field.type, "__metadata__", ())), None)
    if not isinstance(meta, Meta) or not meta.description:
        raise TypeError(f"Task.{field.name}: write Annotated[…, Meta(description=…)]")
    return meta


# Name, type, and whether it is required, of what clients set.
_SETTABLE = [
    (field.name, field.type, field.required)
    for field in fields(Task)
    if not (_meta(field).extra_json_schema or {}).get("readOnly")
]
FILTERS: list[tuple[str, Any]] = [
    (field.name, field.type) for field in fields(Task) if (_meta(field).extra or {}).get("filter")
]
"""Name and type of the fields that GET /tasks takes as a parameter."""
NewTask = defstruct(
    "NewTask",
    [
        (name, kind) if required else (name, kind | UnsetType, UNSET)
        for name, kind, required in _SETTABLE
    ],
    namespace={"__doc__": "What clients send to create a task."},
    forbid_unknown_fields=True,
    kw_only=True,
)
TaskChanges = defstruct(
    "TaskChanges",
    [(name, kind | UnsetType, UNSET) for name, kind, _ in _SETTABLE],
    namespace={"__doc__": "What clients send to change a task: at least one member."},
    forbid_unknown_fields=True,
)
_SET = {name for name, _, _ in _SETTABLE}
StoredTask = defstruct(
    "StoredTask",
    [
        (field.name, _PLAIN[field.name] if field.name in _SET else field.type)
        for field in fields(Task)
    ],
    namespace={
        "__doc__": "A task from database or cache. What clients set may be older than a rule for it."
    },
)
_START = b'{"%b":' % NAMES[0].encode()


def count(tasks: bytes) -> int:
    """How many tasks a JSON array holds.

    Counts the openings of objects: within a JSON string the quote would be escaped, so none is
    found there.
    """
    return tasks.count(_START)


def is_task(payload: bytes, task_id: int) -> bool:
    """Whether `payload` is the task with this id as this version writes it."""
    return payload.startswith(b"%b%d," % (_START, task_id)) and _is_task(_decoded(payload))


def is_task_list(payload: bytes) -> bool:
    """Whether `payload` is an array of tasks, newest first, as this version writes it."""
    tasks = _decoded(payload)
    if not isinstance(tasks, list) or not all(map(_is_task, tasks)):
        return False
    places = [(task["created_at"], task["id"]) for task in tasks]
    return len(tasks) == count(payload) and all(a > b for a, b in pairwise(places))


def _decoded(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        return None


def _is_task(value: Any) -> bool:
    if not isinstance(value, dict) or tuple(value) != NAMES:
        return False
    try:
        msgspec.convert(value, StoredTask)
    except msgspec.ValidationError:
        return False
    return True
