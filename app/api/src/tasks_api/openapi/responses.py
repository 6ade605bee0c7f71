"""What the description says of the responses of an operation: schemas, examples, headers and links."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from tasks_api.errors import ApiError
from tasks_api.http.messages import JSON
from tasks_api.openapi.operations import Operation, Schema, summary
from tasks_api.openapi.schemas import Error, Problem

_SAID = {
    "X-Request-ID": "The X-Request-ID of the request, if that is 1 to 128 letters, digits and"
    " `._:/+=-`, or else a new one. JSON logs have it, too.",
    "ETag": "The version of the task or list, for If-None-Match and, of a task, for If-Match.",
    "Location": "The path of the new task.",
    "Idempotency-Replayed": "`true` if an earlier request with this Idempotency-Key created it.",
    "Accept": "The type that is taken.",
    "Retry-After": "Seconds after which to try again.",
    "WWW-Authenticate": "`Bearer`, and in a 403 the scope that is needed.",
}
_SENT_WITH = {
    201: ["Location"],
    304: ["ETag"],
    401: ["WWW-Authenticate"],
    403: ["WWW-Authenticate"],
    415: ["Accept"],
    429: ["Retry-After"],
    503: ["Retry-After"],
}
_PLAIN = {"boolean": True, "integer": 1, "number": 1.5, "string": "text", "null": None}
_LINKED = {"path.id": "$response.body#/task/id"}
_SENT_AT_TIMES = {"Idempotency-Replayed"}
HEADERS = {
    name: {
        "description": description,
        "required": name not in _SENT_AT_TIMES,
        "schema": {"type": "string"},
    }
    for name, description in _SAID.items()
}
"""All headers that the description names."""


def responses(
    operation: Operation, schemas: dict[str, Any], ahead: Iterable[ApiError] = ()
) -> dict[str, Any]:
    """All responses of an operation by status: successes, its errors and those of what is `ahead` of it."""
    errors = [*operation.errors, *ahead]
    found = {
        status: _response(operation, status, schema, schemas)
        for status, schema in operation.responses.items()
    }
    if operation.tagged:
        found[304] = {
            "description": "It is still the version named in If-None-Match.",
            "headers": _headers(304),
        }
    for status in {error.status for error in errors}:
        found[status] = _errors(status, errors)
    return {str(status): found[status] for status in sorted(found)}


def content(
    kinds: list[type[Struct]], schemas: dict[str, Any], shows: dict[str, Any] | None = None
) -> dict[str, Any]:
    """JSON of one of `kinds`, with an example of each, in which `shows` overrides members."""
    references = [{"$ref": reference(kind.__name__)} for kind in kinds]
    examples = {
        kind.__name__: {"value": _example(schemas[kind.__name__], schemas) | (shows or {})}
        for kind in kinds
    }
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {JSON: {"schema": schema, "examples": examples}}


def reference(name: str, kind: str = "schemas") -> str:
    """The place of a component."""
    return f"#/components/{kind}/{name}"


def _response(
    operation: Operation, status: int, schema: Schema, schemas: dict[str, Any]
) -> dict[str, Any]:
    tag = ["ETag"] if operation.tagged else []
    headers = _headers(status, [*tag, *operation.sends])
    if isinstance(schema, str):
        kind = "object" if schema == JSON else "string"
        said: dict[str, Any] = {schema: {"schema": {"type": kind}}}
        return {"description": "What it says.", "headers": headers, "content": said}
    kinds = list(schema) if isinstance(schema, tuple) else [schema]
    described: dict[str, Any] = {
        "description": " Or: ".join(map(summary, kinds)),
        "headers": headers,
        "content": content(kinds, schemas, operation.shows.get(status)),
    }
    if operation.links:
        described["links"] = {
            name: {"operationId": name, "parameters": _LINKED | parameters}
            for name, parameters in operation.links.items()
        }
    return described


def _errors(status: int, errors: Iterable[ApiError]) -> dict[str, Any]:
    """The response of every error with this status: what they say, and one example of each."""
    found = {error.code: error for error in errors if error.status == status}
    examples = {
        code: {"value": msgspec.to_builtins(Error(Problem(code, error.message, error.fields)))}
        for code, error in found.items()
    }
    return {
        "description": " Or: ".join(error.message for error in found.values()),
        "headers": _headers(status),
        "content": {JSON: {"schema": {"$ref": reference("Error")}, "examples": examples}},
    }


def _headers(status: int, others: Iterable[str] = ()) -> dict[str, Any]:
    names = ["X-Request-ID", *_SENT_WITH.get(status, []), *others]
    return {name: {"$ref": reference(name, "headers")} for name in names}


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """A value that fits `schema`, a JSON Schema as msgspec writes it.

    Only what has a pattern or the like needs an example of its own.

    Args:
        schema: what the value is an example of.
        schemas: what it refers to, by name.
    """
    if reference := schema.get("$ref"):
        return _example(schemas[reference.rpartition("/")[2]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas)
    if schema["type"] == "array":
        return [_example(schema["items"], schemas)]
    if schema["type"] == "object":
        parts = schema.get("properties", {})
        return {name: _example(part, schemas) for name, part in parts.items()}
    return schema.get("minimum", _PLAIN[schema["type"]])
