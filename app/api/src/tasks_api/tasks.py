"""The resource: /tasks and /tasks/<id>."""

from __future__ import annotations

from flask import Blueprint, Response, request

from tasks_api import answers, idempotency, paging, queries
from tasks_api.answers import OneTask, TaskChanged, TaskList, TaskPage
from tasks_api.body import read_object
from tasks_api.cache import LIST_KEY, Reading, task_key
from tasks_api.models import NewTask, TaskChanges
from tasks_api.openapi import Header, describe
from tasks_api.paging import TaskQuery
from tasks_api.responses import json_response
from tasks_api.services import services
from tasks_api.validation import Model, task_id
from tasks_api.versions import list_tag, task_tag, wanted_versions

READING = "tasks_api.reading"
"""Where the WSGI environment holds what the layer ahead of Flask found in the cache."""

_NEW_TASK = Model(NewTask)
_TASK_CHANGES = Model(TaskChanges)
_TASK_QUERY = Model(TaskQuery, texts=True)
_IF_MATCH = Header("If-Match", "ETags of the task: do it only if it has one of these versions.")
_ONCE = Header(
    idempotency.HEADER,
    "Any text of the client's choice: a request sent again with it creates no second task.",
)

blueprint = Blueprint("tasks", __name__)


@blueprint.get("/tasks")
@describe({200: (TaskList, TaskPage)}, errors=[422, 503], query=TaskQuery, tagged=True)
def list_tasks() -> Response:
    """List all tasks, newest first; with a query, some of them in pages."""
    _, database, cache = services()
    if request.query_string:
        return _page()
    tasks, source = cache.fetch(LIST_KEY, lambda: queries.list_tasks(database), _reading(LIST_KEY))
    return json_response(answers.listed(source, tasks), ETag=list_tag(tasks))


@blueprint.get("/tasks/<id>")
@describe({200: OneTask}, errors=[404, 503], tagged=True)
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
    errors=[400, 413, 415, 422, 503],
    body=NewTask,
    headers=[_ONCE],
    links=["get_task", "update_task", "delete_task"],
)
def create_task() -> Response:
    """Create a task: title, and if wanted description and status."""
    _, database, cache = services()
    values = _NEW_TASK.check(read_object())
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
    errors=[400, 404, 412, 413, 415, 422, 503],
    body=TaskChanges,
    headers=[_IF_MATCH],
)
def update_task(id: str) -> Response:
    """Change the given fields of a task."""
    _, database, cache = services()
    number = task_id(id)
    values = _TASK_CHANGES.check_some(read_object())
    versions = wanted_versions(request.headers.get("If-Match"))
    with cache.writing(number):
        task = queries.update_task(database, number, values, versions)
    return _changed("updated", task)


@blueprint.delete("/tasks/<id>")
@describe({200: TaskChanged}, errors=[404, 412, 503], headers=[_IF_MATCH])
def delete_task(id: str) -> Response:
    """Delete a task."""
    _, database, cache = services()
    number = task_id(id)
    versions = wanted_versions(request.headers.get("If-Match"))
    with cache.writing(number):
        task = queries.delete_task(database, number, versions)
    return _changed("deleted", task)


def _page() -> Response:
    # A list is what no parameter takes, so one that is given twice is refused by its name.
    given = {name: v[0] if len(v) == 1 else v for name, v in request.args.lists()}
    query = _TASK_QUERY.check(given)
    tasks, cursor = paging.read_page(services().database, TaskQuery(**query))
    return json_response(answers.paged(tasks, cursor), ETag=list_tag(tasks))


def _reading(key: str) -> Reading:
    if READING in request.environ:
        reading: Reading = request.environ[READING]
        return reading
    return services().cache.read(key)


def _changed(what: str, task: queries.Task, status: int = 200) -> Response:
    answer = TaskChanged(f"Task {what} successfully", answers.as_task(task.json))
    return json_response(answer, status, ETag=task_tag(task.json))
