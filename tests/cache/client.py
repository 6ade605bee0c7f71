"""A client of the API over one kept connection."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple

from tests.api.servers import ApiProcess, wait_for


class Answer(NamedTuple):
    """A status, and the JSON of the body."""

    status: int
    json: Any


class Client:
    """Sends requests one after the other; a context manager."""

    def __init__(self, server: ApiProcess) -> None:
        self._connection: http.client.HTTPConnection = server.connect()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, method: str, path: str, **body: object) -> Answer:
        """Send a request, with a JSON object as its body if one is given."""
        data, headers = (
            (json.dumps(body), {"Content-Type": "application/json"}) if body else (None, {})
        )
        self._connection.request(method, path, data, headers)
        response = self._connection.getresponse()
        return Answer(response.status, json.loads(response.read()))

    def title(self, task_id: int) -> str | None:
        """The title of a task as /tasks/<id> shows it."""
        answer = self.send("GET", f"/tasks/{task_id}")
        return answer.json["task"]["title"] if answer.status == 200 else None

    def listed(self) -> dict[int, str]:
        """The titles that /tasks shows, by id."""
        return {task["id"]: task["title"] for task in self.send("GET", "/tasks").json["tasks"]}

    def source(self, path: str = "/tasks") -> str:
        """Where an answer comes from."""
        return str(self.send("GET", path).json["source"])


def wait_until_cached(*servers: ApiProcess) -> None:
    """Wait until list and first task come from the cache in all of the servers."""
    for server in servers:
        with Client(server) as client:
            for path in ("/tasks", "/tasks/1"):
                wait_for(lambda path=path, client=client: client.source(path) == "cache", "a hit")
