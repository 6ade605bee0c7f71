"""Flask's responses from answers."""

from __future__ import annotations

from flask import Response
from msgspec import Struct

from tasks_api.http.response import Answer
from tasks_api.openapi.schemas import JSON, encode


def response(answer: Answer) -> Response:
    """`answer` for Flask to send."""
    return Response(answer.body, answer.status, answer.headers)


def json_response(answer: Struct, status: int = 200, **headers: str) -> Response:
    """Answer with `answer` as JSON; an underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return response(Answer(status, encode(answer), {"Content-Type": JSON, **named}))
