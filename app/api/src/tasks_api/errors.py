"""Every error the API answers, in one JSON shape that gives away nothing of the inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

from flask import Flask
from werkzeug.exceptions import HTTPException

from tasks_api.http.messages import Response
from tasks_api.openapi.schemas import Error, Problem

RETRY_LATER = MappingProxyType({"Retry-After": "2"})
"""The header, in seconds, of what may succeed soon."""

_logger = logging.getLogger(__name__)

# Code and message of the errors that Flask and Werkzeug raise themselves.
_RAISED_BY_FLASK = {
    400: ("bad_request", "The request could not be understood."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
}


class ApiError(Exception):
    """A response other than success: status, a stable code, a sentence, and a reason per field.

    Each kind is a class, which says what all of them say.
    """

    status = 500
    code = "internal_error"
    message = "The request could not be served."
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, message: str = "", fields: Mapping[str, str] | None = None) -> None:
        self.message = message or self.message
        self.fields = dict(fields or {})
        super().__init__(self.message)


class TaskNotFound(ApiError):
    """404: no task has this id, or it is no id at all."""

    status, code, message = 404, "task_not_found", "There is no task with this id."


class Malformed(ApiError):
    """400: the body is not JSON as RFC 8259 has it."""

    status, code, message = 400, "malformed_json", "The request body is not valid JSON."


class UnsupportedMediaType(ApiError):
    """415: the body is of another type than uncompressed application/json in UTF-8."""

    status, code = 415, "unsupported_media_type"
    message = "The request body must be application/json in UTF-8, not compressed."
    headers = MappingProxyType({"Accept": "application/json"})


class Unprocessable(ApiError):
    """422: well-formed JSON that describes no task; `fields` says what is wrong where."""

    status, code = 422, "validation_failed"


class Unavailable(ApiError):
    """503: a service behind the API does not answer; the same request may succeed later.

    With `outcome_unknown`, what was asked of it may have been done, or be done yet.
    """

    status, headers = 503, RETRY_LATER

    def __init__(self, service: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(f"The {service} is not available at the moment.")
        self.code = f"{service}_unavailable"
        self.outcome_unknown = outcome_unknown


class BodyTooLarge(ApiError):
    """413: the body is larger than the setting MAX_BODY_BYTES."""

    status, code, message = 413, "body_too_large", "The request body is too large."


class LengthRequired(ApiError):
    """411: the body came in chunks, and whether it came to its end nobody could tell."""

    status, code = 411, "length_required"
    message = "The request body must come with its Content-Length, not in chunks."


class IncompleteBody(ApiError):
    """400: the connection ended before the body did."""

    status, code = 400, "incomplete_body"
    message = "The request body is shorter than announced."


class Busy(ApiError):
    """503: too many clients are slow to send their requests."""

    status, code, headers = 503, "busy", RETRY_LATER
    message = "Too many requests are waited for at the moment."


class RequestTimeout(ApiError):
    """408: the body took too long."""

    status, code, message = 408, "request_timeout", "The request body did not come in time."


def register(app: Flask) -> None:
    """Make `app` answer every error in the one shape."""
    app.register_error_handler(HTTPException, _http_error_response)
    app.register_error_handler(Exception, as_response)


def as_response(error: Exception) -> Response:
    """The response that tells of `error`; one that was not foreseen is logged."""
    if not isinstance(error, ApiError):
        _logger.error("Unexpected error", exc_info=error)
        error = ApiError()
    problem = Problem(error.code, error.message, error.fields)
    return Response.of(Error(problem), error.status, error.headers)


def _http_error_response(http_error: HTTPException) -> Response:
    """Flask's and Werkzeug's own errors, keeping headers such as Allow but none of the HTML."""
    status = http_error.code or 500
    other = (http_error.name.lower().replace(" ", "_"), f"{http_error.name}.")
    code, message = _RAISED_BY_FLASK.get(status, other)
    error = ApiError(message)
    error.status, error.code = status, code
    error.headers = {
        name: value
        for name, value in http_error.get_headers()
        if name.lower() not in ("content-type", "content-length")
    }
    return as_response(error)
