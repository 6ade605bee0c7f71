"""Flask's responses from declared answers."""

from __future__ import annotations

from flask import Response
from msgspec import Struct

from tasks_api.answers import JSON, encode


def json_response(answer: Struct, status: int = 200, **headers: str) -> Response:
    """Answer with `answer` as JSON; an underscore in a header's name stands for a hyphen."""
    response = Response(encode(answer), status, content_type=JSON)
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response
