"""Connections to Redis: one for each thread, none of which waits long; and what is sent over them."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import NoPermissionError, ResponseError
from redis.retry import Retry

from tasks_api.config import Config

TIMEOUT_SECONDS = 0.09
"""The most that one command, or one attempt to connect, may take while a task is waited for."""

LIST_KEY = "all_tasks"
_TASK_PREFIX = "task:"
KEYS = (LIST_KEY, f"{LIST_KEY}:*", f"{_TASK_PREFIX}*")
"""Every key of ours: what users.acl.j2 has to allow, with a new entry here for a new kind of value."""

_UNUSED = f"{_TASK_PREFIX}0"  # no task has this id
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("DEL", _UNUSED),
    ("EVALSHA", "0" * 40, "0"),
    ("EXISTS", _UNUSED),
    ("EXPIRE", _UNUSED, "-"),
    ("FLUSHDB", "-"),
    ("GET", f"{LIST_KEY}:lease"),
    ("INFO", "-"),
    ("PING",),
    ("PTTL", _UNUSED),
    ("SCRIPT", "LOAD", ""),
    ("SET", LIST_KEY, "", "-"),
    ("TIME",),
    ("ZADD", _UNUSED, "-", "-"),
    ("ZREM", _UNUSED, "-"),
    ("ZREMRANGEBYSCORE", _UNUSED, "-", "-"),
)
"""Every command of ours, those inside scripts included: what users.acl.j2 has to allow.

Each with arguments that do nothing, being none that it takes or of a key without value, but tell
whether it is allowed: permissions are looked at before arguments.
"""


def task_key(task_id: int) -> str:
    """The key of one task."""
    return f"{_TASK_PREFIX}{task_id}"


class RedisLink:
    """Sends commands over the current thread's own connection.

    redis-py's client adds a pool and retries to its connection, and neither is wanted: by default it
    waits for seconds where the server refuses, and for a minute where it hangs.
    """

    def __init__(self, config: Config) -> None:
        self._options: dict[str, Any] = {
            "host": config.redis_host,
            "port": config.redis_port,
            "username": config.redis_user,
            "password": config.redis_password,
            "socket_timeout": TIMEOUT_SECONDS,
            "socket_connect_timeout": TIMEOUT_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,
        }
        self._threads = threading.local()
        self._generation = 0

    def call(self, *command: str | bytes | int, patience: float | None = None) -> Any:
        """Send one command and return the reply.

        With `patience` the reply may take so many seconds, else TIMEOUT_SECONDS.

        Raises:
            redis.ConnectionError, redis.TimeoutError: no answer in time; whether the command was
            carried out is unknown. redis.ResponseError: the server refused it.
        """
        threads = self._threads
        if getattr(threads, "generation", None) != self._generation:
            threads.connection = Connection(**self._options)  # type: ignore[no-untyped-call]
            threads.generation = self._generation
        connection: Connection = threads.connection
        # What redis-py's own packer calls in the end.
        packed = [pack_command(command)]  # type: ignore[arg-type]
        connection.send_packed_command(packed)  # type: ignore[no-untyped-call]
        if patience is None:
            return connection.read_response()
        return connection.read_response(timeout=patience)

    def ping(self) -> None:
        """Return if the server answers, even if that is a refusal. Raises as `call` does."""
        with suppress(NoPermissionError):
            self.call("PING")

    def refused(self) -> list[str]:
        """What the server refuses to this user: those of COMMANDS and, as `key …`, of KEYS. Raises as `call` does."""
        self.ping()
        commands = [one[0].lower() for one in COMMANDS if self._refuses(one, "command")]
        keys = [one for one in KEYS if self._refuses(("EXISTS", one.replace("*", "0")), "key")]
        return commands + [f"key {pattern}" for pattern in keys]

    def _refuses(self, command: tuple[str, ...], part: str) -> bool:
        """Whether a command is refused for its own sake, the `part` "command", or for that of its "key"."""
        try:
            self.call(*command)
        except NoPermissionError as error:
            return part == ("key" if " key" in str(error) else "command")
        except ResponseError:  # of the arguments
            pass
        return False

    def renew(self) -> None:
        """Let every thread connect anew: the server was away, and the old connections are dead."""
        self._generation += 1
