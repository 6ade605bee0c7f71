"""Keep-alive clients that send requests for a while and write down what became of each."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal, NamedTuple

from tests.api.servers import ApiProcess
from tests.support.background import Background

JSON = {"Content-Type": "application/json"}

End = Literal["answered", "refused", "failed"]
"""refused: no connection came to be; failed: the request was sent, a whole answer did not come."""


class Request(NamedTuple):
    """What a client sends."""

    method: str
    path: str
    body: dict[str, object] | None = None


class Sent(NamedTuple):
    """What became of a request. Times are of `time.monotonic`."""

    request: Request
    client: int
    began: float
    ended: float
    end: End
    status: int = 0
    headers: http.client.HTTPMessage | None = None
    body: bytes = b""
    error: str = ""

    @property
    def seconds(self) -> float:
        """From sending to the end of the answer."""
        return self.ended - self.began

    @property
    def cached(self) -> bool:
        """Whether the answer is a read from the cache."""
        return self.body.startswith(b'{"source":"cache"')

    def __repr__(self) -> str:
        what = self.error or f"{self.status} {self.body[:80]!r}"
        return f"<{self.request.method} {self.request.path} {self.end} {self.seconds:.3f}s {what}>"


Choose = Callable[[int, int], Request]
"""Takes the number of the client and of the request, both from 0."""


class Load(Background):
    """Clients that send requests from entering to leaving the context, or until they are stopped.

    Args:
        api: whom to ask.
        choose: what each sends.
        clients: how many, each with one connection at a time and a thread of its own.
        pause: seconds a client rests after each answer.
        patience: seconds after which an answer that is not there counts as failed.
    """

    def __init__(
        self,
        api: ApiProcess,
        choose: Choose,
        *,
        clients: int = 8,
        pause: float = 0.01,
        patience: float = 15.0,
    ) -> None:
        self.sent: list[Sent] = []
        self._api, self._choose, self._pause, self._patience = api, choose, pause, patience
        super().__init__(partial(self._work, number) for number in range(clients))

    def during(self, begin: float, end: float = float("inf")) -> list[Sent]:
        """What was begun between two times."""
        return [sent for sent in self.sent if begin <= sent.began < end]

    def _work(self, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._api.port, timeout=self._patience)
        for number in itertools.count():
            if self.stopping.is_set():
                break
            self.sent.append(_exchange(connection, client, self._choose(client, number)))
            self.stopping.wait(self._pause)
        connection.close()


def _exchange(connection: http.client.HTTPConnection, client: int, request: Request) -> Sent:
    """Send one request, on the open connection if there is one. Nothing is sent twice."""
    body = None if request.body is None else json.dumps(request.body)
    began = time.monotonic()
    end: End = "refused"
    try:
        if connection.sock is None:  # http.client drops it when the server says so
            connection.connect()
        end = "failed"
        connection.request(request.method, request.path, body, JSON if body else {})
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Sent(request, client, began, time.monotonic(), end, error=repr(error))
    ended = time.monotonic()
    return Sent(
        request, client, began, ended, "answered", response.status, response.headers, content
    )


def answered(sent: Iterable[Sent], *statuses: int) -> None:
    """Check that each request was answered, with one of these statuses."""
    wrong = [one for one in sent if one.end != "answered" or one.status not in statuses]
    assert not wrong, f"{len(wrong)} not answered with {statuses}, such as {wrong[:5]}"


def slowest(sent: Iterable[Sent]) -> float:
    """The seconds of the slowest."""
    return max(one.seconds for one in sent)


def usual(sent: Iterable[Sent]) -> float:
    """The median of the seconds."""
    ordered = sorted(one.seconds for one in sent)
    return ordered[len(ordered) // 2]
