"""OpenAPI 3.1 of the API, from its routes, its views' docstrings and the declarations they name.

msgspec makes the schemas: OpenAPI 3.1 is JSON Schema 2020-12, which is what it writes. (Considered:
flask-smorest and APIFlask check a small body in ten times the time, and flask-openapi3 brings
pydantic, 10 MB on disk and 17 MB in every worker; msgspec takes 0.7 MB and 2 MB.)
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec
from msgspec import NODEFAULT, UNSET, Struct
from msgspec.structs import fields

from tasks_api import __version__
from tasks_api.answers import JSON, Error, Problem
from tasks_api.errors import ApiError
from tasks_api.examples import example
from tasks_api.models import NAMES, Id, Task
from tasks_api.operations import IF_NONE_MATCH, Operation, Route, Shape, routes, summary

_ABOUT = """Tasks in PostgreSQL, with a Redis cache beside it.

Every path with GET takes HEAD too, and every path takes OPTIONS. Every error is of the shape Error:
also 404 for a path that is not here, 405 with the header Allow for a method that a path does not
take, 413 for any request with too large a body, and 500. Texts hold no NUL."""
_HEADERS = {
    "X-Request-ID": "The X-Request-ID of the request, if that is 1 to 128 letters, digits and"
    " `._:/+=-`, or else a new one. It is in the log, too.",
    "ETag": "The version of the task or list, for If-None-Match and, of a task, for If-Match.",
    "Location": "The path of the new task.",
    "Idempotency-Replayed": "`true` if an earlier request with this Idempotency-Key created it.",
    "Accept": "The type that is taken.",
    "Retry-After": "Seconds after which to try again.",
}
_SENT_WITH = {201: ["Location"], 304: ["ETag"], 415: ["Accept"], 503: ["Retry-After"]}
_LINKED = {"path.id": "$response.body#/task/id"}
_SENT_AT_TIMES = {"Idempotency-Replayed"}


@cache
def document() -> bytes:
    """The description as JSON."""
    found = routes()
    declared = {Error, Task}.union(*(route.operation.shapes for route in found))
    _, schemas = msgspec.json.schema_components(
        sorted(declared, key=lambda shape: shape.__name__), ref_template=_reference("{name}")
    )
    schemas["Task"]["required"] = list(NAMES)  # a default is for who creates one
    schemas["TaskChanges"]["minProperties"] = 1
    paths: dict[str, dict[str, Any]] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Tasks API", "version": __version__, "description": _ABOUT},
            "paths": paths,
            "components": {
                "schemas": schemas,
                "headers": {
                    name: {
                        "description": description,
                        "required": name not in _SENT_AT_TIMES,
                        "schema": {"type": "string"},
                    }
                    for name, description in _HEADERS.items()
                },
            },
        }
    )


def _reference(name: str, kind: str = "schemas") -> str:
    return f"#/components/{kind}/{name}"


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation = route.operation
    described: dict[str, Any] = {
        "operationId": route.view.__name__,
        "tags": [route.tag],
        "summary": summary(route.view),
    }
    if more := (inspect.getdoc(route.view) or "").partition("\n\n")[2]:
        described["description"] = more
    if parameters := _parameters(route):
        described["parameters"] = parameters
    if operation.body:
        described["requestBody"] = {
            "required": True,
            "content": _content([operation.body], schemas),
        }
    responses = {
        status: _answer(operation, status, shape, schemas)
        for status, shape in operation.answers.items()
    }
    if operation.tagged:
        responses[304] = {
            "description": "It is still the version named in If-None-Match.",
            "headers": _headers(304),
        }
    for status in {error.status for error in operation.errors}:
        responses[status] = _errors(status, operation.errors)
    described["responses"] = {str(status): responses[status] for status in sorted(responses)}
    return described


def _parameters(route: Route) -> list[dict[str, Any]]:
    operation = route.operation
    path = [_parameter("path", "id", Id, required=True)] if "{id}" in route.path else []
    query = [
        _parameter("query", field.name, field.type, default=field.default)
        for field in fields(operation.query or Struct)
    ]
    headers = [
        {
            "name": header.name,
            "in": "header",
            "description": header.description,
            "schema": {"type": "string", **header.schema},
        }
        for header in (*operation.headers, *([IF_NONE_MATCH] if operation.tagged else []))
    ]
    return path + query + headers


def _parameter(
    place: str, name: str, kind: Any, *, required: bool = False, default: Any = UNSET
) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)
    schema.pop("readOnly", None)
    if default not in (UNSET, NODEFAULT):
        schema["default"] = default
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": schema.pop("description"),
        "schema": schema,
    }


def _answer(
    operation: Operation, status: int, shape: Shape, schemas: dict[str, Any]
) -> dict[str, Any]:
    tag = ["ETag"] if operation.tagged else []
    headers = _headers(status, [*tag, *operation.sends])
    if isinstance(shape, str):
        kind = "object" if shape == JSON else "string"
        content: dict[str, Any] = {shape: {"schema": {"type": kind}}}
        return {"description": "What it says.", "headers": headers, "content": content}
    kinds = list(shape) if isinstance(shape, tuple) else [shape]
    described: dict[str, Any] = {
        "description": " Or: ".join(map(summary, kinds)),
        "headers": headers,
        "content": _content(kinds, schemas, operation.shows.get(status)),
    }
    if operation.links:
        described["links"] = {
            name: {"operationId": name, "parameters": _LINKED | parameters}
            for name, parameters in operation.links.items()
        }
    return described


def _errors(status: int, errors: Iterable[ApiError]) -> dict[str, Any]:
    """The answer of every error with this status: what they say, and one example of each."""
    found = {error.code: error for error in errors if error.status == status}
    examples = {
        code: {"value": msgspec.to_builtins(Error(Problem(code, error.message, error.fields)))}
        for code, error in found.items()
    }
    return {
        "description": " Or: ".join(error.message for error in found.values()),
        "headers": _headers(status),
        "content": {JSON: {"schema": {"$ref": _reference("Error")}, "examples": examples}},
    }


def _headers(status: int, others: Iterable[str] = ()) -> dict[str, Any]:
    names = ["X-Request-ID", *_SENT_WITH.get(status, []), *others]
    return {name: {"$ref": _reference(name, "headers")} for name in names}


def _content(
    kinds: list[type[Struct]], schemas: dict[str, Any], shows: dict[str, Any] | None = None
) -> dict[str, Any]:
    references = [{"$ref": _reference(kind.__name__)} for kind in kinds]
    examples = {
        kind.__name__: {"value": example(schemas[kind.__name__], schemas) | (shows or {})}
        for kind in kinds
    }
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {JSON: {"schema": schema, "examples": examples}}
