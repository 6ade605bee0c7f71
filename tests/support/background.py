"""Threads that work while a test does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Self


class Background:
    """Threads that run from entering to leaving the context; each ends once `stopping` is set."""

    def __init__(self, work: Iterable[Callable[[], object]]) -> None:
        self.stopping = threading.Event()
        self._threads = [threading.Thread(target=one) for one in work]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join()
