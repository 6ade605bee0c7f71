"""Log lines on standard output, as `docker logs` shows them: plain, or one JSON object each."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from tasks_api.http.messages import current

LOGGER_NAME = "tasks_api"
_STDOUT = 1
_logger = logging.getLogger(LOGGER_NAME)
_requests = logging.getLogger(f"{LOGGER_NAME}.requests")


class _Output(logging.Handler):
    """Writes each line at once and whole, so that lines of several processes do not mix."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _write(f"{self.format(record)}\n")
        except OSError:
            self.handleError(record)


class _PlainFormatter(logging.Formatter):
    """The bare message up to INFO, prefixed by its level above."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.levelno > logging.INFO:
            text = f"{record.levelname} {text}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return text


class _JsonFormatter(logging.Formatter):
    """Time, level, message, request id and client, and for a request what was asked and answered."""

    def format(self, record: logging.LogRecord) -> str:
        more: dict[str, object] = getattr(record, "request", {})
        if record.exc_info:
            more = {**more, "exception": self.formatException(record.exc_info)}
        return _as_json(record.created, record.levelname, record.getMessage(), **more)


def _as_json(created: float, level: str, message: str, **more: object) -> str:
    request = current.get(None)
    line = {
        "time": datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "message": message,
        "request_id": request.id if request else None,
        "client": request.client or None if request else None,
        **more,
    }
    return msgspec.json.encode(line).decode()


def _write(text: str) -> None:
    os.write(_STDOUT, text.encode("utf-8", "backslashreplace"))


def set_up(level: str, form: str) -> None:
    """Send the service's log lines to stdout.

    Args:
        level: the least severe level that is written, such as ``INFO``.
        form: ``plain`` or ``json``. Requests are logged, at INFO, only as JSON.
    """
    # These cost time for every record and appear in no line of ours: see "Optimization" in
    # Python's Logging HOWTO. They are half of what a line costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = _Output()
    handler.setFormatter(_JsonFormatter() if form == "json" else _PlainFormatter())
    _logger.handlers = [handler]
    _logger.setLevel(level)
    _logger.propagate = False
    _requests.disabled = form != "json"


def info(*messages: str) -> None:
    """Log lines at INFO, at once, for what every request does: a LogRecord costs as much as Redis."""
    if _logger.isEnabledFor(logging.INFO):
        if not _requests.disabled:
            now = time.time()
            messages = tuple(_as_json(now, "INFO", message) for message in messages)
        with suppress(OSError):
            _write("\n".join((*messages, "")))


def log_request(method: str, path: str, status: int, seconds: float) -> None:
    """Log one answered request; at DEBUG whether the process lives, which is asked all the time."""
    level = logging.DEBUG if path == "/livez" else logging.INFO
    if not _requests.disabled and _requests.isEnabledFor(level):
        details = {
            "method": method,
            "path": path[:500].encode("utf-8", "replace").decode(),
            "status": status,
            "milliseconds": round(seconds * 1000, 2),
        }
        _requests.log(level, "request", extra={"request": details})
