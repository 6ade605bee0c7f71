"""What is done with tasks: from a WSGI environment, its body read, to an answer.

Flask calls these operations from its views, and the layer ahead of it calls them directly.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tasks_api.cache.cache import LIST_KEY, Fetched, TaskCache, task_key
from tasks_api.db.database import Database
from tasks_api.http.conditional import list_tag, task_tag, wanted_versions
from tasks_api.http.json_body import read_object
from tasks_api.http.query_string import read_query
from tasks_api.http.response import Answer
from tasks_api.openapi import schemas
from tasks_api.openapi.schemas import JSON, OneTask, TaskChanged, encode
from tasks_api.tasks import idempotency, paging, queries
from tasks_api.tasks.models import NewTask, TaskChanges
from tasks_api.tasks.paging import TaskQuery
from tasks_api.tasks.rows import Rows
from tasks_api.tasks.validation import Model, task_id

Environ = dict[str, Any]

_NEW_TASK = Model(NewTask)
_TASK_CHANGES = Model(TaskChanges)
_TASK_QUERY = Model(TaskQuery, texts=True)


class Tasks:
    """The operations; each raises ApiError for any other answer than success."""

    def __init__(self, database: Database, cache: TaskCache, rows: Rows) -> None:
        self._database = database
        self._cache = cache
        self._rows = rows
        self._last_list: tuple[Fetched | None, bytes, str] = (None, b"", "")

    def list(self, environ: Environ) -> Answer:
        """GET /tasks."""
        if query := read_query(environ):
            return self._page(query)
        found = self._cache.fetch(LIST_KEY, partial(queries.list_tasks, self._database))
        last, body, tag = self._last_list
        if last != found:  # counting, joining and hashing a long list takes its time
            body, tag = encode(schemas.listed(found.source, found.payload)), list_tag(found.payload)
            self._last_list = found, body, tag
        return _answer(body, tag)

    def show(self, environ: Environ, id: str) -> Answer:
        """GET /tasks/<id>."""
        number = task_id(id)
        load = partial(queries.get_task, self._database, number)
        task, source = self._cache.fetch(task_key(number), load)
        return _answer(encode(OneTask(source, schemas.as_task(task))), task_tag(task))

    def create(self, environ: Environ) -> Answer:
        """POST /tasks."""
        values = _NEW_TASK.check(read_object(environ))
        key = environ.get("HTTP_IDEMPOTENCY_KEY")
        replayed = False
        with self._cache.writing():
            if key is None:
                task = queries.create_task(self._database, values)
            else:
                task, replayed = idempotency.create_once(self._database, key, values)
        answer = _changed("created", task, 201)
        answer.headers["Location"] = f"/tasks/{task.id}"
        if replayed:
            answer.headers["Idempotency-Replayed"] = "true"
        return answer

    def update(self, environ: Environ, id: str) -> Answer:
        """PUT /tasks/<id>."""
        number = task_id(id)
        values = _TASK_CHANGES.check_some(read_object(environ))
        wanted = wanted_versions(environ)
        with self._rows.changing(number), self._cache.writing(number):
            task = queries.update_task(self._database, number, values, wanted)
        return _changed("updated", task)

    def delete(self, environ: Environ, id: str) -> Answer:
        """DELETE /tasks/<id>."""
        number = task_id(id)
        wanted = wanted_versions(environ)
        with self._rows.changing(number), self._cache.writing(number):
            task = queries.delete_task(self._database, number, wanted)
        return _changed("deleted", task)

    def _page(self, query: dict[str, str]) -> Answer:
        wanted = TaskQuery(**_TASK_QUERY.check(query))
        tasks, cursor = paging.read_page(self._database, wanted)
        return _answer(encode(schemas.paged(tasks, cursor)), list_tag(tasks))


def _changed(what: str, task: queries.Task, status: int = 200) -> Answer:
    body = encode(TaskChanged(f"Task {what} successfully", schemas.as_task(task.json)))
    return _answer(body, task_tag(task.json), status)


def _answer(body: bytes, tag: str, status: int = 200) -> Answer:
    return Answer(status, body, {"Content-Type": JSON, "ETag": tag})
