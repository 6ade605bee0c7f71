"""From a request's query string to its parameters, stricter than Flask's own `request.args`.

Flask takes the first of two values, and puts U+FFFD where an escape is not UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tasks_api.errors import Unprocessable
from tasks_api.tasks.validation import NOT_ACCEPTABLE, printable

_MOST = 100


def read_query(environ: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a request, each given once and in UTF-8.

    Raises:
        Unprocessable: 422 with a reason for each other one.
    """
    text = environ["QUERY_STRING"]
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", max_num_fields=_MOST)
    except ValueError:
        raise Unprocessable(f"The query has more than {_MOST} parameters.") from None
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
