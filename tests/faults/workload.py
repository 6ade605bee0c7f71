"""A mix of reads and writes in which every client can tell whether it reads its own writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tests.api.servers import ApiProcess
from tests.faults.load import JSON, Request, Sent


class OwnTasks:
    """Each client changes a task of its own and reads it back, alone and in the list."""

    def __init__(self, api: ApiProcess, clients: int = 8) -> None:
        self.ids = [_create(api, f"of client {client}") for client in range(clients)]

    def __call__(self, client: int, number: int) -> Request:
        """The request to send: of six, one changes, one creates, four read."""
        own = f"/tasks/{self.ids[client]}"
        return (
            Request("PUT", own, {"title": f"{client}: {number}"}),
            Request("GET", own),
            Request("GET", "/tasks"),
            Request("GET", "/tasks/1"),
            Request("GET", own),
            Request("POST", "/tasks", {"title": f"new, {client}: {number}"}),
        )[number % 6]

    def never_stale(self, sent: Sequence[Sent]) -> None:
        """Check that all read what they had last written; everything must have been answered."""
        for client, number in enumerate(self.ids):
            written = None
            for one in sent:
                if one.client != client:
                    continue
                if one.request.method == "PUT":
                    assert one.request.body
                    written = one.request.body["title"]
                elif one.request.method == "GET" and written:
                    for read in _titles(one, number):
                        assert read == written, f"{one} shows {read!r} after {written!r}"


def cached_again(sent: Iterable[Sent]) -> bool:
    """Whether any of these reads came from the cache."""
    return any(one.cached for one in sent)


def _titles(one: Sent, number: int) -> list[str]:
    content = json.loads(one.body)
    tasks = content["tasks"] if "tasks" in content else [content["task"]]
    return [task["title"] for task in tasks if task["id"] == number]


def _create(api: ApiProcess, title: str) -> int:
    response, body = api.request("POST", "/tasks", json.dumps({"title": title}), JSON)
    assert response.status == 201, body
    return int(json.loads(body)["task"]["id"])
