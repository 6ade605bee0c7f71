"""The server: granian, with processes that are replaced, told to stop, and end as ours do.

Needed because granian ends as a whole when a worker ends twice within seconds, gives up where a process
cannot be forked, may sleep through a signal, and leaves its workers behind when it is killed, until it
replaces workers for as long as it takes (emmett-framework/granian#148 has what it does today).
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels, logger
from granian.server import Server

from tasks_api.config import Config
from tasks_api.server import application
from tasks_api.server.concurrency import SLOTS
from tasks_api.server.drain import drain
from tasks_api.server.read_timeout import BODIES

STOPS = (signal.SIGTERM, signal.SIGINT)

# `drain` takes a moment, and the longest request waits for its body until `read_timeout` ends that.
_DRAIN_SECONDS = 17
# A worker that ended sooner than this may do so again at once, and starting one has its price.
_SHORT_LIFE_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
MOST_WAITING = 60
"""Requests of a worker that may wait at a time, for their body or for a database connection."""


class ApiServer(Server):  # type: ignore[misc]
    """granian with the settings of `config`."""

    def __init__(self, config: Config) -> None:
        super().__init__(
            "tasks_api.app:create_app",
            factory=True,
            address=config.api_host,
            port=config.api_port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=config.api_workers,
            blocking_threads=config.api_threads,
            workers_kill_timeout=_DRAIN_SECONDS,
            log_level=LogLevels(config.log_level.lower()),
            log_access=False,
        )
        SLOTS.limit, SLOTS.room = config.api_threads, MOST_WAITING
        application.install()
        # Once granian has set its handlers, and before it starts workers.
        self.on_startup(_obey)
        self._main = os.getpid()
        os.register_at_fork(after_in_child=self._begin_worker)
        # Only now: granian warns of so many threads, not knowing that few of them work at a time.
        waiting = MOST_WAITING + config.db_pool_size
        self.on_startup(lambda: setattr(self, "blocking_threads", config.api_threads + waiting))

    def _serve_loop(self, *how_to_start: Any) -> None:
        """Replace workers that end, until told to stop.

        granian's own loop ends the server when a worker ends within 5.5 s of its start, however
        well the others do, and may overlook one of two that end at once.
        """
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait()
            self.main_loop_interrupt.clear()
            if self.reload_signal:
                self._reload(*how_to_start)
            ended = [self.interrupt_children.pop() for _ in self.interrupt_children[:]]
            if any(time.monotonic() - self.wrks[i].birth < _SHORT_LIFE_SECONDS for i in ended):
                time.sleep(_PAUSE_SECONDS)
            for index in ended:
                if not self.interrupt_signal:
                    self._replace(index, *how_to_start)

    def _replace(self, index: int, *how_to_start: Any) -> None:
        """Replace a worker that ended; at the limit of processes or threads, a moment later."""
        ended, before = self.wrks[index], set(multiprocessing.active_children())
        try:
            self._respawn_workers([index], *how_to_start)
        except (OSError, RuntimeError) as error:
            for child in set(multiprocessing.active_children()) - before:
                child.kill()  # it runs, but nobody would notice its end
            if ended not in self.wrks:
                self.wrks.insert(index, ended)
            logger.warning("A worker cannot be started, which is tried again: %s", error)
            time.sleep(_PAUSE_SECONDS)
            self.interrupt_children.append(index)
            self.main_loop_interrupt.set()

    def _begin_worker(self) -> None:
        """Prepare a worker that was just forked; signals that stop are held back until `_obey`.

        Until granian sets a worker's handlers, it has those of the main process, which do nothing
        in it: a stop in that half second would wait for the whole time of draining.
        """
        for number in STOPS:
            signal.signal(number, signal.SIG_DFL)
        _obey(lambda: drain(self.bind_port))
        _stop_after(self._main)
        BODIES.watch(self.bind_port)


def _obey(first: Callable[[], None] = lambda: None) -> None:
    """Have a new thread do `first` and call the handler, when a signal stops this process.

    Python calls a handler in the main thread, when that next runs Python code. The main threads of
    granian's processes wait without end; a signal that comes just before they do, or that the kernel
    hands to another thread, does not wake them.

    The calling thread, those it starts later, and the processes it forks hold the signals back from
    now on: call this again in each of these. Without a handler a signal ends the process.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)

    def work() -> None:
        number = signal.sigwait(STOPS)
        handler = signal.getsignal(number)
        if not callable(handler):
            os._exit(128 + number)
        try:
            first()
        finally:
            handler(number, None)

    threading.Thread(target=work, name="signals", daemon=True).start()


def _stop_after(parent: int) -> None:
    """Have this process stop, as by SIGTERM, once the process `parent`, which forked it, is gone.

    One that was killed, because memory ran out for example, says nothing to its workers. They would go
    on and hold the port, with nobody to replace or stop them, beside those of the next start.
    """
    ended = None
    with suppress(OSError):  # gone, or a kernel before 5.3
        ended = os.pidfd_open(parent)
    if os.getppid() != parent:
        os._exit(1)

    def work(process: int) -> None:
        select.select([process], [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    if ended is not None:
        threading.Thread(target=work, args=(ended,), name="parent watch", daemon=True).start()
