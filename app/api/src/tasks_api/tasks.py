"""The resource: /tasks and /tasks/<id>."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, request

from tasks_api import answers, body, idempotency, paging, queries
from tasks_api.answers import OneTask, TaskChanged, TaskList, TaskPage
from tasks_api.cache import LIST_KEY, Reading, task_key
from tasks_api.errors import TaskNotFound, Unavailable, Unprocessable
from tasks_api.models import NewTask, TaskChanges
from tasks_api.operations import IF_MATCH, Header, describe
from tasks_api.paging import TaskQuery
from tasks_api.query import read_query
from tasks_api.responses import json_response
from tasks_api.services import services
from tasks_api.validation import NOT_ACCEPTABLE, Model, task_id
from tasks_api.versions import list_tag, task_tag, wanted_versions

READING = "tasks_api.reading"
"""Where the WSGI environment holds what the layer ahead of Flask found in the cache."""

_NEW_TASK = Model(NewTask)
_TASK_CHANGES = Model(TaskChanges)
_TASK_QUERY = Model(TaskQuery, texts=True)
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

blueprint = Blueprint("tasks", __name__)


@blueprint.get("/tasks")
@describe({200: (TaskList, TaskPage)}, errors=[_BAD_QUERY, _DOWN], query=TaskQuery, tagged=True)
def list_tasks() -> Response:
    """List all tasks, newest first; with a query, some of them in pages.

    With any parameter the answer is a page of at most `limit` tasks, and its `next_cursor` leads to
    the next one.
    """
    _, database, cache = services()
    if query := read_query():
        return _page(query)
    tasks, source = cache.fetch(LIST_KEY, lambda: queries.list_tasks(database), _reading(LIST_KEY))
    return json_response(answers.listed(source, tasks), ETag=list_tag(tasks))


@blueprint.get("/tasks/<id>")
@describe({200: OneTask}, errors=[TaskNotFound(), _DOWN], tagged=True)
def get_task(id: str) -> Response:
    """Show one task."""
    _, database, cache = services()
    number = task_id(id)
    key = task_key(number)
    task, source = cache.fetch(key, lambda: queries.get_task(database, number), _reading(key))
    return json_response(OneTask(source, answers.as_task(task)), ETag=task_tag(task))


@blueprint.post("/tasks")
@describe(
    {201: TaskChanged},
    errors=[*body.ERRORS, _BAD_BODY, idempotency.KeyReused(), _DOWN],
    body=NewTask,
    headers=[_ONCE],
    sends=["ETag", "Idempotency-Replayed"],
    links={"get_task": {}, "update_task": _SAME_VERSION, "delete_task": _SAME_VERSION},
)
def create_task() -> Response:
    """Create a task; only its title is needed."""
    _, database, cache = services()
    values = _NEW_TASK.check(body.read_object())
    key = request.headers.get(idempotency.HEADER)
    replayed = False
    with cache.writing():
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
    shows={200: {"message": "Task updated successfully"}},
    errors=[*body.ERRORS, TaskNotFound(), queries.VersionMismatch(), _NO_CHANGE, _DOWN],
    body=TaskChanges,
    headers=[IF_MATCH],
    sends=["ETag"],
)
def update_task(id: str) -> Response:
    """Change the given fields of a task."""
    _, database, cache = services()
    number = task_id(id)
    values = _TASK_CHANGES.check_some(body.read_object())
    versions = _versions()
    with cache.writing(number):
        task = queries.update_task(database, number, values, versions)
    return _changed("updated", task)


@blueprint.delete("/tasks/<id>")
@describe(
    {200: TaskChanged},
    shows={200: {"message": "Task deleted successfully"}},
    errors=[TaskNotFound(), queries.VersionMismatch(), _DOWN],
    headers=[IF_MATCH],
    sends=["ETag"],
)
def delete_task(id: str) -> Response:
    """Delete a task."""
    _, database, cache = services()
    number = task_id(id)
    versions = _versions()
    with cache.writing(number):
        task = queries.delete_task(database, number, versions)
    return _changed("deleted", task)


def _page(query: dict[str, str]) -> Response:
    wanted = TaskQuery(**_TASK_QUERY.check(query))
    tasks, cursor = paging.read_page(services().database, wanted)
    return json_response(answers.paged(tasks, cursor), ETag=list_tag(tasks))


def _reading(key: str) -> Reading:
    if READING in request.environ:
        reading: Reading = request.environ[READING]
        return reading
    return services().cache.read(key)


def _versions() -> list[datetime] | None:
    return wanted_versions(request.headers.get("If-Match"), request.headers.get("If-None-Match"))


def _changed(what: str, task: queries.Task, status: int = 200) -> Response:
    answer = TaskChanged(f"Task {what} successfully", answers.as_task(task.json))
    return json_response(answer, status, ETag=task_tag(task.json))
