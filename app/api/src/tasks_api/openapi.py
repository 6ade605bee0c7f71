"""OpenAPI 3.1 of the API, from its routes, its views' docstrings and the declarations they name.

msgspec makes the schemas: OpenAPI 3.1 is JSON Schema 2020-12, which is what it writes. (Considered:
flask-smorest and APIFlask check a small body in ten times the time, and flask-openapi3 brings
pydantic, 10 MB on disk and 17 MB in every worker; msgspec takes 0.7 MB and 2 MB.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from flask import current_app
from msgspec import Struct
from msgspec.structs import fields

from tasks_api import __version__
from tasks_api.answers import JSON, Error
from tasks_api.models import NAMES, Id, Task

View = TypeVar("View", bound=Callable[..., Any])
Shape = type[Struct] | tuple[type[Struct], ...] | str

_REFERENCE = "#/components/schemas/{name}"
_ERRORS = {
    400: "The body is no JSON, or the request is malformed.",
    404: "There is no such task.",
    412: "The task has another version by now.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "The request is understood, and not acceptable; `fields` says why.",
    503: "The database, or the cache, is not available at the moment; Retry-After says when.",
}
_TEXT = {"schema": {"type": "string"}}


class Header(NamedTuple):
    """A request header that an operation takes."""

    name: str
    description: str


@dataclass(frozen=True)
class Operation:
    """What the description says of a view, beside its docstring and its route.

    `answers` names the declaration of the answer for each status, or its content type where that is
    none of ours.
    A `tagged` answer has an ETag and minds If-None-Match. `links` are operations on the task that
    is answered.
    """

    answers: dict[int, Shape]
    errors: Iterable[int] = ()
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    headers: list[Header] = field(default_factory=list)
    tagged: bool = False
    links: Iterable[str] = ()


_operations: dict[Any, Operation] = {}


def describe(answers: dict[int, Shape], **details: Any) -> Callable[[View], View]:
    """Describe a view; the arguments are those of Operation."""

    def remember(view: View) -> View:
        _operations[view] = Operation(answers, **details)
        return view

    return remember


def endpoints() -> dict[str, str]:
    """Method and path of every view, with the first line of its docstring."""
    return {
        f"{method} {path.replace('{', ':').replace('}', '')}": _summary(view)
        for path, method, view in _routes()
    }


@cache
def document() -> bytes:
    """The description as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, view in _routes():
        paths.setdefault(path, {})[method.lower()] = _operation(view, _operations[view])
    declared = [Error, Task, *(shape for view in _operations.values() for shape in _shapes(view))]
    _, schemas = msgspec.json.schema_components(declared, ref_template=_REFERENCE)
    schemas["Task"]["required"] = list(NAMES)  # a default is for who creates one
    schemas["TaskChanges"]["minProperties"] = 1
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Tasks API",
                "version": __version__,
                "description": "Tasks in PostgreSQL, with a Redis cache beside it.",
            },
            "paths": paths,
            "components": {"schemas": schemas},
        }
    )


def _routes() -> list[tuple[str, str, Any]]:
    """Path, method and view of everything the application serves."""
    return [
        (re.sub("<(.*?)>", r"{\1}", rule.rule), method, current_app.view_functions[rule.endpoint])
        for rule in current_app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def _summary(view: Any) -> str:
    return (view.__doc__ or "").partition("\n")[0]


def _shapes(operation: Operation) -> list[type[Struct]]:
    found: list[type[Struct]] = []
    for shape in (*operation.answers.values(), operation.body):
        if isinstance(shape, tuple):
            found += shape
        elif shape and not isinstance(shape, str):
            found.append(shape)
    return found


def _operation(view: Any, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": view.__name__, "summary": _summary(view)}
    parameters = _parameters(view, operation)
    if parameters:
        described["parameters"] = parameters
    if operation.body:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    responses = {status: _answer(operation, shape) for status, shape in operation.answers.items()}
    if operation.tagged:
        responses[304] = {"description": "It is still the version named in If-None-Match."}
    for status in operation.errors:
        responses[status] = {"description": _ERRORS[status], "content": _content(Error)}
    described["responses"] = {str(status): responses[status] for status in sorted(responses)}
    return described


def _parameters(view: Any, operation: Operation) -> list[dict[str, Any]]:
    path = [_parameter("path", "id", Id, required=True)] if "id" in view.__annotations__ else []
    query = [_parameter("query", f.name, f.type) for f in fields(operation.query or Struct)]
    wanted = list(operation.headers)
    if operation.tagged:
        wanted.append(Header("If-None-Match", "ETags: answer only if it is another version."))
    return path + query + [_header(header) for header in wanted]


def _parameter(place: str, name: str, kind: Any, *, required: bool = False) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)
    schema.pop("readOnly", None)
    return {"name": name, "in": place, "required": required, "schema": schema}


def _header(header: Header) -> dict[str, Any]:
    return {"name": header.name, "in": "header", "description": header.description, **_TEXT}


def _answer(operation: Operation, shape: Shape) -> dict[str, Any]:
    if isinstance(shape, str):
        return {"description": "What it says.", "content": {shape: {}}}
    kinds = shape if isinstance(shape, tuple) else (shape,)
    described: dict[str, Any] = {
        "description": " Or: ".join((kind.__doc__ or "").partition("\n")[0] for kind in kinds),
        "content": _content(*kinds),
    }
    if operation.tagged:
        described["headers"] = {"ETag": {"description": "The version.", **_TEXT}}
    if operation.links:
        found = {"id": "$response.body#/task/id"}
        described["links"] = {
            name: {"operationId": name, "parameters": found} for name in operation.links
        }
    return described


def _content(*kinds: type[Struct]) -> dict[str, Any]:
    references = [{"$ref": _REFERENCE.format(name=kind.__name__)} for kind in kinds]
    return {JSON: {"schema": references[0] if len(kinds) == 1 else {"anyOf": references}}}
