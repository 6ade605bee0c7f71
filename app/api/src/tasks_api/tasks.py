"""The resource: /tasks and /tasks/<id>."""

from __future__ import annotations

from flask import Blueprint, Response

from tasks_api import models
from tasks_api.body import read_object
from tasks_api.cache import LIST_KEY, task_key
from tasks_api.responses import json_response
from tasks_api.services import services
from tasks_api.validation import task_id, validate

blueprint = Blueprint("tasks", __name__)


@blueprint.get("/tasks")
def list_tasks() -> Response:
    """List all tasks, newest first."""
    _, database, cache = services()
    tasks, source = cache.fetch(LIST_KEY, lambda: models.list_tasks(database))
    return json_response(
        b'{"source":"%b","count":%d,"tasks":%b}' % (source.encode(), models.count(tasks), tasks)
    )


@blueprint.get("/tasks/<id>")
def get_task(id: str) -> Response:
    """Show one task."""
    _, database, cache = services()
    number = task_id(id)
    task, source = cache.fetch(task_key(number), lambda: models.get_task(database, number))
    return json_response(b'{"source":"%b","task":%b}' % (source.encode(), task))


@blueprint.post("/tasks")
def create_task() -> Response:
    """Create a task: title, and if wanted description and status."""
    _, database, cache = services()
    values = validate(read_object(), models.FIELDS, partial=False)
    with cache.writing():
        task = models.create_task(database, values)
    response = _changed(b"created", task, 201)
    response.headers["Location"] = f"/tasks/{task.id}"
    return response


@blueprint.put("/tasks/<id>")
def update_task(id: str) -> Response:
    """Change the given fields of a task."""
    _, database, cache = services()
    number = task_id(id)
    values = validate(read_object(), models.FIELDS, partial=True)
    with cache.writing(number):
        task = models.update_task(database, number, values)
    return _changed(b"updated", task)


@blueprint.delete("/tasks/<id>")
def delete_task(id: str) -> Response:
    """Delete a task."""
    _, database, cache = services()
    number = task_id(id)
    with cache.writing(number):
        task = models.delete_task(database, number)
    return _changed(b"deleted", task)


def _changed(what: bytes, task: models.Task, status: int = 200) -> Response:
    return json_response(
        b'{"message":"Task %b successfully","task":%b}' % (what, task.json), status
    )
