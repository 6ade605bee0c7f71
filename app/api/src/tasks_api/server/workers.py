"""The server: granian, with workers that wait and stop as ours do."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels, logger
from granian.server import Server

from tasks_api.config import Config
from tasks_api.server import application, drain, parent_watch, read_timeout, signals
from tasks_api.server.concurrency import TURNS

# The longest request waits for its body until `read_timeout` ends it.
_DRAIN_SECONDS = 15
# A worker that ended sooner than this may do so again at once, and starting one has its price.
_SHORT_LIFE_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
MOST_WAITING = 60
"""Requests of a worker that may wait at a time, for their body or for a database connection."""


class ApiServer(Server):  # type: ignore[misc]
    """granian with the settings of `config`, with workers that wait and stop as ours do."""

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
        TURNS.limit, TURNS.room = config.api_threads, MOST_WAITING
        application.install()
        # Once granian has set its handlers, and before it starts workers.
        self.on_startup(signals.obey)
        self._main = os.getpid()
        os.register_at_fork(after_in_child=self._begin_worker)
        # Only now: granian warns of so many threads, not knowing that few of them work at a time.
        waiting = MOST_WAITING + config.db_pool_size
        self.on_startup(lambda: setattr(self, "blocking_threads", config.api_threads + waiting))

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop, once the clients know."""
        drain.announce(self.bind_port)
        super().shutdown(exit_code)

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
        """Prepare a worker that was just forked; the signals are held back until `obey`.

        Until granian sets a worker's handlers, it has those of the main process, which do nothing
        in it: a stop in that half second would wait for the whole time of draining.
        """
        for number in signals.STOPS:
            signal.signal(number, signal.SIG_DFL)
        drain.prepare_worker()
        signals.obey()
        parent_watch.watch(self._main)
        read_timeout.watch(self.bind_port)
