"""Log set-up: plain lines on standard output, as `docker logs` shows them."""

from __future__ import annotations

import logging
import sys

LOGGER_NAME = "tasks_api"


class _PlainFormatter(logging.Formatter):
    """The bare message up to INFO, prefixed by its level above."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.levelno > logging.INFO:
            text = f"{record.levelname} {text}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return text


def set_up(level: str) -> None:
    """Send the service's log lines of `level`, a name such as ``INFO``, and above to stdout."""
    # These three cost a call per record and appear in no line of ours.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_PlainFormatter())
    logger = logging.getLogger(LOGGER_NAME)
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
