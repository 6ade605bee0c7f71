"""The views of /tasks and /tasks/<id>: their routes, and what the description says of them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from tasks_api.errors import TaskNotFound, Unavailable, Unprocessable
from tasks_api.http import json_body
from tasks_api.http.flask_response import response
from tasks_api.openapi.operations import CONDITIONS, Header, describe
from tasks_api.openapi.schemas import OneTask, TaskChanged, TaskList, TaskPage
from tasks_api.services import services
from tasks_api.tasks import idempotency, queries
from tasks_api.tasks.models import NewTask, TaskChanges
from tasks_api.tasks.paging import TaskQuery
from tasks_api.tasks.rows import TaskLocked
from tasks_api.tasks.validation import NOT_ACCEPTABLE

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
    errors=[_BAD_QUERY, queries.VersionMismatch(), _DOWN],
    query=TaskQuery,
    tagged=True,
)
def list_tasks() -> Response:
    """List all tasks, newest first; with a query, some of them in pages.

    With any parameter the answer is a page of at most `limit` tasks, and its `next_cursor` leads to
    the next one.
    """
    return response(services().tasks.list(request.environ))


@blueprint.get("/tasks/<id>")
@describe(
    {200: OneTask},
    scope="read",
    errors=[TaskNotFound(), queries.VersionMismatch(), _DOWN],
    tagged=True,
)
def get_task(id: str) -> Response:
    """Show one task."""
    return response(services().tasks.show(request.environ, id))


@blueprint.post("/tasks")
@describe(
    {201: TaskChanged},
    scope="write",
    errors=[*json_body.ERRORS, _BAD_BODY, idempotency.KeyReused(), _DOWN],
    body=NewTask,
    headers=[_ONCE],
    sends=["ETag", "Idempotency-Replayed"],
    links={"get_task": {}, "update_task": _SAME_VERSION, "delete_task": _SAME_VERSION},
)
def create_task() -> Response:
    """Create a task; only its title is needed."""
    return response(services().tasks.create(request.environ))


@blueprint.put("/tasks/<id>")
@describe(
    {200: TaskChanged},
    scope="write",
    shows={200: {"message": "Task updated successfully"}},
    errors=[*json_body.ERRORS, _NO_CHANGE, *_NOT_CHANGED],
    body=TaskChanges,
    headers=CONDITIONS,
    sends=["ETag"],
)
def update_task(id: str) -> Response:
    """Change the given fields of a task."""
    return response(services().tasks.update(request.environ, id))


@blueprint.delete("/tasks/<id>")
@describe(
    {200: TaskChanged},
    scope="write",
    shows={200: {"message": "Task deleted successfully"}},
    errors=_NOT_CHANGED,
    headers=CONDITIONS,
    sends=["ETag"],
)
def delete_task(id: str) -> Response:
    """Delete a task."""
    return response(services().tasks.delete(request.environ, id))
