"""That a variant answers as it should, asked before it is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bench.api.variants import VariantServer
from bench.api.workloads import Workload
from bench.api.wrk import BrokenLoadError

FIELDS = {"id", "title", "description", "status", "created_at", "updated_at"}
NEW = {"title": "Escrever README", "description": "Documentar", "status": "in_progress"}
_JSON = {"Content-Type": "application/json"}


class _Client:
    """Asks one server, and says which one answered wrongly."""

    def __init__(self, server: VariantServer) -> None:
        self._server = server

    def ask(self, method: str, path: str, status: int, body: Any = None) -> dict[str, Any]:
        sent = None if body is None else json.dumps(body)
        response, answer = self._server.request(method, path, sent, _JSON if sent else None)
        self.require(response.status == status, f"{method} {path}", response.status, answer)
        return json.loads(answer) if status < 400 else {}

    def require(self, fine: bool, what: str, *evidence: object) -> None:
        if not fine:
            shown = " ".join(map(str, evidence))[:2000]
            log = self._server.log_tail
            raise BrokenLoadError(f"{self._server.variant.title}: {what} is wrong: {shown}\n{log}")

    def task(self, task: Mapping[str, Any], **values: object) -> None:
        wanted = {name: task.get(name) for name in values}
        self.require(set(task) == FIELDS and wanted == values, "a task", task, values)


def prove(server: VariantServer, rows: int, expired: bool) -> None:
    """Create, read, change and delete through the API of a fresh stage. Raises BrokenLoadError."""
    client = _Client(server)
    listed(server, rows, None if expired else "database")
    listed(server, rows, "database" if expired else "cache")
    task = client.ask("POST", "/tasks", 201, NEW)["task"]
    client.task(task, **NEW)
    path = f"/tasks/{task['id']}"
    newest = listed(server, rows + 1, "database")[0]
    client.task(newest, **task)
    client.ask("GET", path, 200)
    client.task(client.ask("PUT", path, 200, {"status": "completed"})["task"], status="completed")
    answer = client.ask("GET", path, 200)
    client.require(answer["source"] == "database", "the source after a change", answer)
    client.task(answer["task"], **NEW | {"status": "completed"})
    client.task(client.ask("DELETE", path, 200)["task"], id=task["id"])
    client.ask("GET", path, 404)
    for bad in ({}, {"title": ""}, {"title": 1}, {"title": "x", "status": "done"}):
        client.ask("POST", "/tasks", 422, bad)
    client.ask("PUT", "/tasks/1", 422, {"status": "done"})
    listed(server, rows, "database")


def listed(server: VariantServer, rows: int, source: str | None) -> list[dict[str, Any]]:
    """The tasks of GET /tasks, which must be `rows` and come from `source`. Raises BrokenLoadError."""
    client = _Client(server)
    answer = client.ask("GET", "/tasks", 200)
    tasks: list[dict[str, Any]] = answer["tasks"]
    client.require(set(answer) == {"source", "count", "tasks"}, "the list", answer)
    client.require(answer["count"] == len(tasks) == rows, "the count", answer)
    client.require(source in (None, answer["source"]), "the source", answer)
    moments = [task["created_at"] for task in tasks]
    client.require(moments == sorted(moments, reverse=True), "the order", moments)
    for task in tasks:
        client.task(task)
    return tasks


def prime(server: VariantServer, workload: Workload) -> None:
    """Have what a cached workload reads in the cache."""
    if workload.source == "cache":
        _Client(server).ask("GET", workload.path, 200)
