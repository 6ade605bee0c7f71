"""Writers and readers at a steady rate through an edge, and what became of each request."""

from __future__ import annotations

import contextlib
import http.client
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import NamedTuple, Self

from tests.stack.edge_client import Connection
from tests.support.background import Background

DONE = (200, 201)


class Sent(NamedTuple):
    """One request: ``waited`` seconds from when it was due to the whole answer; ``end`` is its status or the error."""

    kind: str
    waited: float
    end: int | str


class Load(Background):
    """Requests of five kinds, ``rate`` a second each, from entering to leaving the context.

    Each is sent when it is due, whether or not earlier ones were answered. Connections are kept and used again.
    """

    def __init__(self, connect: Callable[[], Connection], rate: float = 20) -> None:
        self.sent: list[Sent] = []
        self._connect, self._rate = connect, rate
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._ids: queue.SimpleQueue[int] = queue.SimpleQueue()
        kinds = ("GET", "POST", "POST with key", "PUT", "DELETE")
        super().__init__(partial(self._tick, kind) for kind in kinds)

    def __enter__(self) -> Self:
        connection = self._connect()
        self._kept = connection.ask("POST", "/tasks", {"title": "kept"}).json["task"]["id"]
        self._idle.put(connection)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @property
    def failed(self) -> list[Sent]:
        """Those that were not answered with success."""
        return [one for one in self.sent if one.end not in DONE]

    def longest(self) -> float:
        """The seconds of the longest wait."""
        return max(one.waited for one in self.sent)

    def table(self) -> str:
        """One line per kind: requests, failures, longest wait and the 99th percentile."""
        kinds = defaultdict(list)
        for one in self.sent:
            kinds[one.kind].append(one)
        lines = []
        for kind, those in sorted(kinds.items()):
            waits = sorted(one.waited for one in those)
            failed = sum(one.end not in DONE for one in those)
            ninety_nine = waits[int(len(waits) * 0.99)]
            lines.append(
                f"{kind:14} {len(those):5} requests {failed:3} failed, longest {waits[-1]:5.2f} s, p99 {ninety_nine:5.2f} s"
            )
        return "\n".join(lines)

    def _tick(self, kind: str) -> None:
        due = time.monotonic()
        threads = []
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            thread = threading.Thread(target=self._send, args=(kind, due))
            thread.start()
            threads.append(thread)
            due += 1 / self._rate
        for thread in threads:
            thread.join()

    def _send(self, kind: str, due: float) -> None:
        method, path, body, headers = kind.partition(" ")[0], "/tasks", None, {}
        if method == "DELETE":
            try:
                path = f"/tasks/{self._ids.get_nowait()}"
            except queue.Empty:
                return  # nothing was created yet
        elif method == "PUT":
            path, body = f"/tasks/{self._kept}", {"description": token_hex(4)}
        elif method == "GET":
            path = f"/tasks/{self._kept}"
        else:
            body = {"title": "t"}
            headers = {"Idempotency-Key": token_hex(8)} if "key" in kind else {}
        try:
            connection = self._idle.get_nowait()
            if connection.dropped():
                connection.close()
        except queue.Empty:
            connection = self._connect()
        try:
            answer = connection.ask(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.sent.append(Sent(kind, time.monotonic() - due, repr(error)))
            return
        self._idle.put(connection)
        self.sent.append(Sent(kind, time.monotonic() - due, answer.status))
        if method == "POST" and answer.status == 201:
            self._ids.put(answer.json["task"]["id"])
