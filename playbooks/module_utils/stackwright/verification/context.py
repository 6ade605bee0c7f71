"""What checks work with: the API, SQL, Redis and the time that is left."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..system import ANSWER_SECONDS, Completed, Deadline, run
from .client import Api, Transport
from .report import CACHE, DATABASE, CheckFailed
from .target import Target

_REDIS_ERROR = re.compile(r"\s*(\(error\) )?(ERR|NOAUTH|NOPERM|MISCONF|OOM|WRONGPASS|LOADING) ")


class Context:
    """One verification of one target, within one deadline.

    ``mark`` is in the titles of its probes, see ``runner.mark_of``.
    """

    def __init__(self, target: Target, deadline: Deadline, mark: str = "") -> None:
        self.target = target
        self.mark = mark
        self._way = self._transport()
        self.api = self.client(deadline)
        self.versions: dict[str, str] = {}
        self.schemas: Mapping[str, Any] = {}
        self.seeded_tasks = 0
        self.list_is_short: bool | None = None
        self.list_stays_cold = False
        self.set_deadline(deadline)

    def client(self, deadline: Deadline, *, anonymous: bool = False) -> Api:
        """A client of the API with the target's token, or without any."""
        token = "" if anonymous else self.target.token
        return Api(self.target.base_url, deadline, self._way, token)

    def _transport(self) -> Transport:
        edge = self.target.edge
        if not edge:
            return Transport()
        return Transport(edge.address, lambda: self.run(edge.ca_command).out, bool(edge.ca_command))

    def set_deadline(self, deadline: Deadline) -> None:
        """Go on with another time budget (cleaning up has its own)."""
        self.deadline = deadline
        self.api.deadline = deadline

    def run(self, argv: Sequence[str]) -> Completed:
        """Run a program of the target."""
        return run(argv, self.deadline.bound(ANSWER_SECONDS))

    def addresses(self) -> list[str]:
        """What tells the environment's own published ports from others'; asked for only when needed."""
        return self.run(self.target.address_command).out.split()

    def sql(self, statement: str) -> str:
        """What a statement prints. Raises CheckFailed."""
        done = self.run([*self.target.sql_command, statement])
        if done.code != 0:
            expected = f"SQL works: {statement}"
            raise CheckFailed(expected, _failure(done), role=DATABASE)
        return done.out.strip()

    def sql_json(self, statement: str) -> Any:
        """The value of a statement whose one result is JSON. Raises CheckFailed."""
        out = self.sql(statement)
        try:
            return json.loads(out)
        except ValueError:
            raise CheckFailed(f"JSON from: {statement}", out[:200], role=DATABASE) from None

    def redis(self, *command: str) -> str:
        """What a Redis command prints. Raises CheckFailed."""
        done = self.run([*self.target.redis_command, *command])
        # redis-cli exits 0 on an error reply such as NOAUTH or MISCONF.
        if done.code != 0 or _REDIS_ERROR.match(done.out):
            expected = f"Redis answers {' '.join(command)}"
            raise CheckFailed(expected, _failure(done), role=CACHE)
        return done.out.strip()


def _failure(done: Completed) -> str:
    return f"exit code {done.code}: {done.text[-600:] or 'no output'}"
