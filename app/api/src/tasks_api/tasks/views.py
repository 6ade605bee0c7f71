"""The views of /tasks and /tasks/<id>: their routes, descriptions, and what is done.

They raise ApiError for any other response than success.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Literal

from flask import Blueprint

from tasks_api.cache.redis import LIST_KEY, task_key
from tasks_api.errors import TaskNotFound, Unavailable, Unprocessable
from tasks_api.http import parsing
from tasks_api.http.conditional import list_tag, task_tag, wanted_versions
from tasks_api.http.messages import Content, Response, current
from tasks_api.openapi.operations import CONDITIONS, Header, describe
from tasks_api.openapi.schemas import (
    OneTask,
    TaskChanged,
    TaskList,
    TaskPage,
    as_task,
    task_list,
    task_page,
)
from tasks_api.tasks import idempotency, queries
from tasks_api.tasks.models import LARGEST_ID, NewTask, TaskChanges, is_task, is_task_list
from tasks_api.tasks.paging import TaskQuery, read_page
from tasks_api.tasks.rows import TaskLocked
from tasks_api.tasks.validation import NOT_ACCEPTABLE, Model

_NEW_TASK = Model(NewTask)
_TASK_CHANGES = Model(TaskChanges)
_TASK_QUERY = Model(TaskQuery, texts=True)
_ID = re.compile(r"[1-9][0-9]{0,9}")
_SAME_VERSION = {"header.If-Match": "$response.header.ETag"}
_ONCE = Header(
    idempotency.HEADER,
    "Chosen by the client, anew for each task: a request sent again with it, within a day, creates"
    " no second task and is answered as the first.",
    {"examples": ["b5d0a9c2-1f0e-4c7a"], "pattern": idempotency.KEY},
)
_BAD_QUERY = Unprocessable(NOT_ACCEPTABLE, {"limit": "Must be a whole number from 1 to 500."})
_BAD_BODY = Unprocessable(NOT_ACCEPTABLE, {"title": "Is required."})
_NO_CHANGE = Unprocessable(NOT_ACCEPTABLE, {"owner": "Is not known here."})
_DOWN = Unavailable("database")
_NOT_CHANGED = (TaskNotFound(), queries.VersionMismatch(), TaskLocked(), _DOWN)

blueprint = Blueprint("tasks", __name__)


@blueprint.get("/tasks")
@describe(
    {200: (TaskList, TaskPage)},
    scope="read",
    needs_flask=False,
    errors=[_BAD_QUERY, queries.VersionMismatch(), _DOWN],
    query=TaskQuery,
    tagged=True,
)
def list_tasks() -> Response:
    """List all tasks, newest first; with a query, some of them in pages.

    With any parameter the answer is a page of at most `limit` tasks, and its `next_cursor` leads to
    the next one.
    """
    request = current.get()
    if request.environ["QUERY_STRING"] and (query := parsing.read_query(request.environ)):
        return _page(query)
    load = partial(queries.list_tasks, request.services.database)
    cache = request.services.cache
    return cache.fetch(LIST_KEY, load, is_task_list, _list_content).response()


@blueprint.get("/tasks/<id>")
@describe(
    {200: OneTask},
    scope="read",
    needs_flask=False,
    errors=[TaskNotFound(), queries.VersionMismatch(), _DOWN],
    tagged=True,
)
def get_task(id: str) -> Response:
    """Show one task."""
    number, services = _task_id(id), current.get().services
    load = partial(queries.get_task, services.database, number)
    accepts = partial(is_task, task_id=number)
    return services.cache.fetch(task_key(number), load, accepts, _task_content).response()


@blueprint.post("/tasks")
@describe(
    {201: TaskChanged},
    scope="write",
    needs_flask=False,
    errors=[*parsing.BODY_ERRORS, _BAD_BODY, idempotency.KeyReused(), _DOWN],
    body=NewTask,
    headers=[_ONCE],
    sends=["ETag", "Idempotency-Replayed"],
    links={"get_task": {}, "update_task": _SAME_VERSION, "delete_task": _SAME_VERSION},
)
def create_task() -> Response:
    """Create a task; only its title is needed."""
    request = current.get()
    database = request.services.database
    values = _NEW_TASK.check(parsing.read_object(request.environ))
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    replayed = False
    with request.services.cache.writing(LIST_KEY):
        if key is None:
            task = queries.create_task(database, values)
        else:
            task, replayed = idempotency.create_once(database, key, values)
    response = _changed("created", task, 201)
    response.headers["Location"] = f"/tasks/{task.id}"
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


@blueprint.put("/tasks/<id>")
@describe(
    {200: TaskChanged},
    scope="write",
    needs_flask=False,
    shows={200: {"message": "Task updated successfully"}},
    errors=[*parsing.BODY_ERRORS, _NO_CHANGE, *_NOT_CHANGED],
    body=TaskChanges,
    headers=CONDITIONS,
    sends=["ETag"],
)
def update_task(id: str) -> Response:
    """Change the given fields of a task."""
    environ, services = current.get().environ, current.get().services
    number = _task_id(id)
    values = _TASK_CHANGES.check_some(parsing.read_object(environ))
    wanted = wanted_versions(environ)
    with services.rows.changing(number), services.cache.writing(LIST_KEY, task_key(number)):
        task = queries.update_task(services.database, number, values, wanted)
    return _changed("updated", task)


@blueprint.delete("/tasks/<id>")
@describe(
    {200: TaskChanged},
    scope="write",
    needs_flask=False,
    shows={200: {"message": "Task deleted successfully"}},
    errors=_NOT_CHANGED,
    headers=CONDITIONS,
    sends=["ETag"],
)
def delete_task(id: str) -> Response:
    """Delete a task."""
    environ, services = current.get().environ, current.get().services
    number = _task_id(id)
    wanted = wanted_versions(environ)
    with services.rows.changing(number), services.cache.writing(LIST_KEY, task_key(number)):
        task = queries.delete_task(services.database, number, wanted)
    return _changed("deleted", task)


def _page(query: dict[str, str]) -> Response:
    wanted = TaskQuery(**_TASK_QUERY.check(query))
    tasks, cursor = read_page(current.get().services.database, wanted)
    return Content(task_page(tasks, cursor), list_tag(tasks)).response()


def _list_content(source: Literal["cache", "database"], tasks: bytes) -> Content:
    return Content(task_list(source, tasks), list_tag(tasks))


def _task_content(source: Literal["cache", "database"], task: bytes) -> Content:
    return Content(OneTask(source, as_task(task)), task_tag(task))


def _changed(what: str, task: queries.Task, status: int = 200) -> Response:
    shown = TaskChanged(f"Task {what} successfully", as_task(task.json))
    return Response.of(shown, status, {"ETag": task_tag(task.json)})


def _task_id(text: str) -> int:
    """The id in a path segment, decimal without leading zero: one task has one address.

    Raises:
        TaskNotFound: 404, it is none that a task can have.
    """
    number = int(text) if _ID.fullmatch(text) else 0
    if not 1 <= number <= LARGEST_ID:
        raise TaskNotFound
    return number
