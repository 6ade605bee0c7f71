"""JSON responses from bytes that are JSON already."""

from __future__ import annotations

import json

from flask import Response


def json_response(body: bytes, status: int = 200) -> Response:
    """Answer with `body`, finished UTF-8 JSON, and a newline for the sake of terminals."""
    return Response(body + b"\n", status, content_type="application/json")


def json_object(status: int = 200, /, **members: object) -> Response:
    """Answer with `members` as a JSON object, in the order given, non-ASCII text verbatim."""
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    # An error names fields as the client did: a lone surrogate among them has no form in UTF-8.
    return json_response(text.encode("utf-8", "replace"), status)
