"""Connections to Redis: one for each thread, none of which waits long.

The protocol is hiredis's, the parser of the Redis project that redis-py uses, too. redis-py itself
would add 14 MB to every process and double what a cached answer costs, for a pool, for retries and
for commands that are not wanted here: by default it waits 3.3 s for a server that refuses, and 59 s
for one that hangs.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Any

from hiredis import ProtocolError, Reader, pack_command

from tasks_api.config import Config

TIMEOUT_SECONDS = 0.09
"""The most that one command, or one attempt to connect, may take while a task is waited for."""

_CHUNK_BYTES = 65536
# Errors by which a server says that it serves nobody now, or not this connection.
_SERVES_NOT = ("LOADING", "NOAUTH", "ERR max number of clients")

Word = str | bytes | int


class RedisError(Exception):
    """A command has no answer; whether it was carried out is unknown."""


class Refused(RedisError):
    """The server answered with an error, whose first word is a code such as OOM."""


class RedisLink:
    """Sends commands over the current thread's own connection."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._threads = threading.local()
        self._generation = 0

    def call(self, *command: Word, patience: float | None = None) -> Any:
        """Send one command and return the reply.

        With `patience` the reply may take so many seconds, else TIMEOUT_SECONDS.

        Raises:
            RedisError: no answer in time. Refused: the server answered with an error.
        """
        threads = self._threads
        if getattr(threads, "generation", None) != self._generation:
            threads.connection = None
            threads.generation = self._generation
        try:
            connection: _Connection = threads.connection or _Connection(self._config)
            # What ends badly is not used again: a late reply would answer another command.
            threads.connection = None
            reply = connection.ask(command, patience)
        except BlockingIOError:
            raise RedisError("no answer in time") from None
        except (OSError, ProtocolError) as error:
            raise RedisError(str(error)) from None
        if isinstance(reply, Refused) and str(reply).startswith(_SERVES_NOT):
            raise RedisError(str(reply))
        threads.connection = connection
        if isinstance(reply, Refused):
            raise reply
        return reply

    def renew(self) -> None:
        """Let every thread connect anew: the server was away, and the old connections are dead."""
        self._generation += 1


class _Connection:
    """One connection, closed when it is no more used. All of it raises OSError, ProtocolError."""

    def __init__(self, config: Config) -> None:
        address = (config.redis_host, config.redis_port)
        self._socket = socket.create_connection(address, TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # With a time-out of its own, Python would ask the kernel twice: whether it may read, and to.
        self._socket.settimeout(None)
        self._limit(socket.SO_SNDTIMEO, TIMEOUT_SECONDS)
        self._limit(socket.SO_RCVTIMEO, TIMEOUT_SECONDS)
        self._reader = Reader(replyError=Refused)
        if config.redis_password:
            user = [config.redis_user] if config.redis_user else []
            reply = self.ask(("AUTH", *user, config.redis_password))
            if isinstance(reply, Refused):
                raise PermissionError(str(reply))

    def __del__(self) -> None:
        with suppress(AttributeError):  # it may never have come to be
            self._socket.close()

    def ask(self, command: tuple[Word, ...], patience: float | None = None) -> Any:
        """The reply to one command, which may be a Refused."""
        if patience is not None:
            self._limit(socket.SO_RCVTIMEO, patience)
        self._socket.sendall(pack_command(command))  # type: ignore[arg-type]
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(_CHUNK_BYTES)
            if not received:
                raise ConnectionResetError("connection closed by the server")
            self._reader.feed(received)
        if patience is not None:
            self._limit(socket.SO_RCVTIMEO, TIMEOUT_SECONDS)
        return reply

    def _limit(self, option: int, seconds: float) -> None:
        """Have the kernel end what takes longer, see socket(7)."""
        whole = int(seconds)
        limit = struct.pack("@ll", whole, int((seconds - whole) * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, option, limit)
