"""One time budget for everything that waits."""

from __future__ import annotations

import time


class OutOfTimeError(Exception):
    """The whole budget is used up."""


class Deadline:
    """A budget of ``seconds`` that starts now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - time.monotonic())

    def bound(self, seconds: float) -> float:
        """The shorter of ``seconds`` and what is left. Raises OutOfTimeError if nothing is left."""
        left = self.left()
        if left <= 0:
            raise OutOfTimeError
        return min(seconds, left)

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end. Raises OutOfTimeError."""
        time.sleep(self.bound(seconds))
