"""What the API shows: the declarations that shape its responses and describe them.

Where a member is a task, or a list of tasks, it is given as `msgspec.Raw`: the JSON that PostgreSQL
made, put into the response as it is. So a task cannot look different from cache and from database,
and costs no decoding and encoding.
"""

from __future__ import annotations

from typing import Annotated, Literal, cast

from msgspec import Meta, Raw, Struct

from tasks_api.tasks.models import Task, count

Source = Annotated[
    Literal["cache", "database"],
    Meta(description="Where the answer comes from.", extra_json_schema={"type": "string"}),
]
Count = Annotated[int, Meta(description="How many tasks are shown.", examples=[1], ge=0)]
State = Annotated[
    Literal["healthy", "unhealthy"],
    Meta(examples=["healthy"], extra_json_schema={"type": "string"}),
]
Counter = Annotated[int, Meta(examples=[1000], ge=0)]


class TaskList(Struct):
    """All tasks, newest first."""

    source: Source
    count: Count
    tasks: list[Task]


class TaskPage(Struct):
    """Some tasks, newest first."""

    source: Source
    count: Count
    tasks: list[Task]
    next_cursor: Annotated[
        str | None,
        Meta(
            description="Give it as `cursor` to get the tasks after these; null if there are none.",
            examples=["1769860800123456.1"],
        ),
    ]


class OneTask(Struct):
    """One task."""

    source: Source
    task: Task


class TaskChanged(Struct):
    """What was done, and the task: as it is now, or as it was before it was deleted."""

    message: Annotated[str, Meta(examples=["Task created successfully"])]
    task: Task


class Index(Struct):
    """What the API is, and what it offers."""

    name: Annotated[str, Meta(examples=["Tasks API"])]
    version: Annotated[str, Meta(examples=["1.0.0"])]
    environment: Annotated[str, Meta(examples=["dev"])]
    endpoints: Annotated[dict[str, str], Meta(examples=[{"GET /tasks/:id": "Show one task."}])]


class Health(Struct):
    """The state of each part."""

    api: State
    cache: State
    database: State


class DegradedHealth(Struct):
    """Tasks are served, but the cache refuses a command that the API needs."""

    status: Literal["degraded"]
    api: State
    cache: Annotated[str, Meta(examples=["refused: flushdb"])]
    database: State


class Liveness(Struct):
    """The process lives."""

    status: Literal["alive"]


class CacheStatistics(Struct):
    """Counters of the Redis server, from its INFO."""

    connected_clients: Counter
    used_memory_human: Annotated[str, Meta(examples=["1.05M"])]
    total_commands_processed: Counter
    keyspace_hits: Counter
    keyspace_misses: Counter


class Message(Struct):
    """What was done."""

    message: Annotated[str, Meta(examples=["Cache cleared successfully"])]


class Problem(Struct):
    """What is wrong: a code that stays the same, and sentences for people."""

    code: Annotated[str, Meta(examples=["task_not_found"])]
    message: Annotated[str, Meta(examples=["There is no task with this id."])]
    fields: Annotated[dict[str, str], Meta(description="A reason for each field.", examples=[{}])]


class Error(Struct):
    """Every answer other than success."""

    error: Problem


def task_list(source: Source, tasks: bytes) -> TaskList:
    """What shows `tasks`, a JSON array."""
    return TaskList(source, count(tasks), as_tasks(tasks))


def task_page(tasks: bytes, next_cursor: str | None) -> TaskPage:
    """What shows `tasks`, a JSON array, as a page."""
    return TaskPage("database", count(tasks), as_tasks(tasks), next_cursor)


def as_task(payload: bytes) -> Task:
    """A JSON object, to stand in a response as it is."""
    return cast(Task, Raw(payload))


def as_tasks(payload: bytes) -> list[Task]:
    """A JSON array, to stand in a response as it is."""
    return cast(list[Task], Raw(payload))
