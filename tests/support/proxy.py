"""A TCP proxy on loopback that breaks connections in the ways a network does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from types import TracebackType

from tests.api.servers import free_port

_CHUNK = 65536
# With SO_LINGER of no time, close() sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards `port` to another loopback port, in a thread; a context manager.

    Attributes:
        delay_seconds: how long each chunk is held back, in either direction.
        frozen: accept and keep connections, but forward nothing.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.delay_seconds = 0.0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._moving = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def __enter__(self) -> Proxy:
        self._thread.start()
        self.freeze(False)
        self.accept()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.refuse()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def accept(self) -> None:
        """Take connections (again)."""
        self._run(self._accept())

    def refuse(self) -> None:
        """Cut all connections, and refuse new ones."""
        self._run(self._refuse())

    def cut(self) -> None:
        """Reset all connections; new ones are taken."""
        self._run(self._cut())

    def freeze(self, frozen: bool = True) -> None:
        """Forward nothing, or go on where it was left."""
        change = self._moving.clear if frozen else self._moving.set
        self._loop.call_soon_threadsafe(change)

    def _run(self, coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)  # type: ignore[arg-type]

    async def _accept(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _refuse(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for writer in self._writers:
            with contextlib.suppress(OSError):  # it may be closed just now
                peer = writer.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def _end(self) -> None:
        """Go on until nothing is left: a connection has its task a turn after it was taken."""
        while len(asyncio.all_tasks()) > 1:
            await self._cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                self._writers.discard(back)
                back.transport.abort()
        self._writers.discard(writer)
        writer.transport.abort()
        self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await asyncio.sleep(self.delay_seconds)
            await self._moving.wait()
            writer.write(chunk)
            await writer.drain()
        writer.transport.abort()
