"""Signals that are obeyed at once, by a thread that waits for nothing else.

Python calls a handler in the main thread, when that next runs Python code. The main threads of
granian's processes wait without end; a signal that comes just before they do, or that the kernel
hands to another thread, wakes them not. On a busy machine two of 90 stops during the start took
the 15 s after which a worker is killed.
"""

from __future__ import annotations

import os
import signal
import threading

STOPS = (signal.SIGTERM, signal.SIGINT)
LEAVE = signal.SIGUSR1
"""Tells a worker to take no more connections, see `drain`."""
_HELD = (*STOPS, LEAVE)


def obey() -> None:
    """Have the handlers of these signals called by a new thread, up to the first that stops.

    The calling thread, those it starts later, and the processes it forks hold the signals back
    from now on: call this again in each of these. Without a handler a signal ends the process.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    threading.Thread(target=_obey, name="signals", daemon=True).start()


def _obey() -> None:
    number = None
    while number not in STOPS:
        number = signal.sigwait(_HELD)
        handler = signal.getsignal(number)
        if not callable(handler):
            os._exit(128 + number)
        handler(number, None)
