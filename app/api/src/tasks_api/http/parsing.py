"""From a request to a JSON object or to parameters, more strictly than Flask does.

Flask's `get_json` accepts NaN, Infinity and duplicate keys, and answers deep nesting with 500; RFC
8259 has no such numbers, and leaves it open which of two duplicates counts, so that two readers of
one body may disagree. Its `request.args` takes the first of two values, and puts U+FFFD where an
escape is not UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from werkzeug.http import parse_options_header

from tasks_api.errors import BodyTooLarge, Malformed, Unprocessable, UnsupportedMediaType
from tasks_api.http.messages import JSON
from tasks_api.http.request_body import BODY
from tasks_api.tasks.validation import NOT_ACCEPTABLE, printable

_MOST_PARAMETERS = 100

BODY_ERRORS = (
    Malformed(),
    BodyTooLarge(),
    UnsupportedMediaType(),
)
"""What an operation that reads an object may answer because of its body."""


def read_object(environ: Mapping[str, Any]) -> dict[str, object]:
    """The JSON object in the body of a request.

    Raises:
        UnsupportedMediaType: 415 for another type than uncompressed application/json in UTF-8.
        Malformed: 400, the body is not JSON.
        Unprocessable: 422, the body is JSON but no object.
    """
    _require_json(environ)
    value = _decode(environ[BODY])
    if not isinstance(value, dict):
        raise Unprocessable("The request body must be a JSON object.")
    return value


def read_query(environ: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a request, each given once and in UTF-8.

    Raises:
        Unprocessable: 422 with a reason for each other one.
    """
    try:
        pairs = parse_qsl(
            environ["QUERY_STRING"],
            keep_blank_values=True,
            encoding="latin-1",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:
        raise Unprocessable(f"The query has more than {_MOST_PARAMETERS} parameters.") from None
    problems: dict[str, str] = {}
    values: dict[str, str] = {}
    for raw_name, value in pairs:
        name = raw_name.encode("latin-1").decode("utf-8", "replace")
        if name in values:
            problems[printable(name)] = "Is given more than once."
        try:
            values[name] = value.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            problems[printable(name)] = "Must be UTF-8."
    if problems:
        raise Unprocessable(NOT_ACCEPTABLE, problems)
    return values


def _require_json(environ: Mapping[str, Any]) -> None:
    kind, options = parse_options_header(environ.get("CONTENT_TYPE", ""))
    charset = options.get("charset", "utf-8").lower()
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if kind.lower() != JSON or charset != "utf-8" or encoding != "identity":
        raise UnsupportedMediaType


def _decode(data: bytes) -> object:
    if not data.strip():
        raise Malformed("The request body is empty.")
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        raise Malformed("The request body is not UTF-8.") from None
    except RecursionError:
        raise Malformed("The request body is nested too deeply.") from None
    except ValueError:  # JSONDecodeError, or an integer beyond Python's 4,300 digits
        raise Malformed() from None


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("The request body names a key twice.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"The request body holds {name}, which is not JSON.")
