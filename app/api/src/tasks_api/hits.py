"""Cached reads, answered ahead of Flask.

Most requests of such an API are reads of what is in the cache, and half of what they would cost is
Flask's: routing, contexts, a response object. Everything else, misses included, is Flask's to
answer; `front` treats both alike.
"""

from __future__ import annotations

from typing import Any

from tasks_api.answer import Answer
from tasks_api.answers import JSON, OneTask, as_task, encode, listed
from tasks_api.cache import LIST_KEY, TaskCache, task_key
from tasks_api.errors import TaskNotFound
from tasks_api.lease import Found
from tasks_api.tasks import READING
from tasks_api.validation import task_id
from tasks_api.versions import list_tag, task_tag

_ITEM = "/tasks/"


class CachedReads:
    """Answers GET /tasks and GET /tasks/<id> if the cache can."""

    def __init__(self, cache: TaskCache) -> None:
        self._cache = cache
        self._last_list: tuple[bytes, bytes, str] = (b"", b"", "")

    def answer(self, environ: dict[str, Any]) -> tuple[Answer, str] | None:
        """The answer and its route, or None if it is Flask's to give.

        What the cache said is left in `environ` under READING, so that nobody asks it again.
        """
        if environ["REQUEST_METHOD"] != "GET" or environ["QUERY_STRING"]:
            return None
        path = environ["PATH_INFO"]
        if path == "/tasks":
            return self._list(environ)
        if path.startswith(_ITEM):
            return self._item(environ, path[len(_ITEM) :])
        return None

    def _list(self, environ: dict[str, Any]) -> tuple[Answer, str] | None:
        payload = self._find(environ, LIST_KEY)
        if payload is None:
            return None
        known, body, tag = self._last_list
        if known != payload:  # counting, joining and hashing a long list takes its time
            body, tag = encode(listed("cache", payload)), list_tag(payload)
            self._last_list = payload, body, tag
        return Answer(200, body, {"Content-Type": JSON, "ETag": tag}), "/tasks"

    def _item(self, environ: dict[str, Any], text: str) -> tuple[Answer, str] | None:
        try:
            payload = self._find(environ, task_key(task_id(text)))
        except TaskNotFound:
            return None
        if payload is None:
            return None
        body = encode(OneTask("cache", as_task(payload)))
        return Answer(200, body, {"Content-Type": JSON, "ETag": task_tag(payload)}), "/tasks/<id>"

    def _find(self, environ: dict[str, Any], key: str) -> bytes | None:
        reading = environ[READING] = self._cache.read(key)
        return reading.payload if isinstance(reading, Found) else None
