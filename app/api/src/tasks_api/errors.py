"""Every error the API answers, in one JSON shape that gives away nothing of the inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import Flask
from werkzeug.exceptions import HTTPException

from tasks_api.http.messages import Response
from tasks_api.openapi.schemas import Error, Problem

RETRY_AFTER_SECONDS = 2

_logger = logging.getLogger(__name__)

# Code and message of the errors that Flask and Werkzeug raise themselves.
_RAISED_BY_FLASK = {
    400: ("bad_request", "The request could not be understood."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
}


class ApiError(Exception):
    """An answer other than success: status, a stable code, a sentence, and a reason per field."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})


class TaskNotFound(ApiError):
    """404: no task has this id, or it is no id at all."""

    def __init__(self) -> None:
        super().__init__(404, "task_not_found", "There is no task with this id.")


class Malformed(ApiError):
    """400: the body is not JSON as RFC 8259 has it."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "malformed_json", message)


class UnsupportedMediaType(ApiError):
    """415: the body is of another type than uncompressed application/json in UTF-8."""

    def __init__(self) -> None:
        super().__init__(
            415,
            "unsupported_media_type",
            "The request body must be application/json in UTF-8, not compressed.",
            headers={"Accept": "application/json"},
        )


class Unprocessable(ApiError):
    """422: well-formed JSON that describes no task; `fields` says what is wrong where."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(422, "validation_failed", message, fields)


class Unavailable(ApiError):
    """503: a service behind the API does not answer; the same request may succeed later.

    With `outcome_unknown`, what was asked of it may have been done, or be done yet.
    """

    def __init__(self, service: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(
            503,
            f"{service}_unavailable",
            f"The {service} is not available at the moment.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
        self.outcome_unknown = outcome_unknown


class BodyTooLarge(ApiError):
    """413: the body is larger than the setting MAX_BODY_BYTES."""

    def __init__(self) -> None:
        super().__init__(413, "body_too_large", "The request body is too large.")


class LengthRequired(ApiError):
    """411: the body came in chunks, and whether it came to its end nobody could tell."""

    def __init__(self) -> None:
        super().__init__(
            411,
            "length_required",
            "The request body must come with its Content-Length, not in chunks.",
        )


class IncompleteBody(ApiError):
    """400: the connection ended before the body did."""

    def __init__(self) -> None:
        super().__init__(400, "incomplete_body", "The request body is shorter than announced.")


class Busy(ApiError):
    """503: too many clients are slow to send their requests."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "busy",
            "Too many requests are waited for at the moment.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


def register(app: Flask) -> None:
    """Make `app` answer every error in the one shape."""
    app.register_error_handler(HTTPException, _http_error_response)
    app.register_error_handler(Exception, as_response)


def as_response(error: Exception) -> Response:
    """The response that tells of `error`; one that was not foreseen is logged."""
    if not isinstance(error, ApiError):
        _logger.error("Unexpected error", exc_info=error)
        error = ApiError(500, "internal_error", "The request could not be served.")
    problem = Problem(error.code, error.message, error.fields)
    return Response.of(Error(problem), error.status, error.headers)


def _http_error_response(error: HTTPException) -> Response:
    """Flask's and Werkzeug's own errors, keeping headers such as Allow but none of the HTML."""
    status = error.code or 500
    other = (error.name.lower().replace(" ", "_"), f"{error.name}.")
    code, message = _RAISED_BY_FLASK.get(status, other)
    kept = {
        k: v for k, v in error.get_headers() if k.lower() not in ("content-type", "content-length")
    }
    return as_response(ApiError(status, code, message, headers=kept))
