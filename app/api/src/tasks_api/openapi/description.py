"""OpenAPI 3.1 of the API, from its routes, its views' docstrings and the declarations they name.

msgspec makes the schemas: OpenAPI 3.1 is JSON Schema 2020-12, which is what it writes. (Considered:
flask-smorest and APIFlask take much longer to check a body, flask-openapi3 brings pydantic, which
takes much memory in every worker.)
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import msgspec
from flask import current_app
from msgspec import NODEFAULT, UNSET, Struct
from msgspec.structs import fields

from tasks_api import __version__
from tasks_api.config import Config
from tasks_api.errors import ApiError
from tasks_api.http.auth import SCOPES, Forbidden, Unauthorized, needed_scope
from tasks_api.http.rate_limit import TooManyRequests
from tasks_api.openapi.operations import CONDITIONS, Route, routes, summary
from tasks_api.openapi.responses import HEADERS, content, reference, responses
from tasks_api.openapi.schemas import Error
from tasks_api.tasks.models import NAMES, Id, Task

_ABOUT = """Tasks in PostgreSQL, with a Redis cache beside it.

Every path with GET takes HEAD too, and every path takes OPTIONS. Every error, but the 503 of
/health, is of the schema Error: also 404 for a path that is not here, 405 with the header Allow for
a method that a path does not take, 411 for any request with a body in chunks, 413 with too large a
body, 501 with a method or transfer coding that nothing here knows, and 500."""

_SCHEME = "bearer"
_SCHEMES = {
    _SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": f"A token with the scope {', '.join(SCOPES)}; each includes the ones before.",
    }
}


class Admission(NamedTuple):
    """Which of the settings' barriers stand before the operations."""

    tokens: bool
    public_reads: bool
    limited: bool

    @classmethod
    def of(cls, config: Config) -> Admission:
        """The barriers of a configuration."""
        return cls(bool(config.tokens), config.public_reads, bool(config.client_rate))

    def security(self, route: Route) -> list[dict[str, list[str]]]:
        """The security requirement of an operation; in OpenAPI 3.1 it names roles too. Empty: none."""
        scope = self._scope(route)
        return [{_SCHEME: [scope]}] if scope else []

    def errors(self, route: Route) -> list[ApiError]:
        """What an operation may answer because of them."""
        found: list[ApiError] = [TooManyRequests(1)] if self.limited else []
        scope = self._scope(route)
        if scope:
            found.append(Unauthorized())
        if scope not in (None, SCOPES[0]):  # every token has the least scope
            found.append(Forbidden(scope))
        return found

    def components(self) -> dict[str, Any]:
        """The security schemes, where there are tokens."""
        return {"securitySchemes": _SCHEMES} if self.tokens else {}

    def _scope(self, route: Route) -> str | None:
        if not self.tokens:
            return None
        return needed_scope(route.operation.scope, self.public_reads)


def document(admission: Admission) -> bytes:
    """The description as JSON, of the current application with these barriers before it; made once for each."""
    made: dict[str, bytes] = current_app.extensions
    if "openapi" not in made:
        made["openapi"] = _document(admission)
    return made["openapi"]


def _document(admission: Admission) -> bytes:
    found = routes()
    declared = {Error, Task}.union(*(route.operation.schemas for route in found))
    _, schemas = msgspec.json.schema_components(
        sorted(declared, key=lambda schema: schema.__name__), ref_template=reference("{name}")
    )
    schemas["Task"]["required"] = list(NAMES)  # a default is for who creates one
    schemas["TaskChanges"]["minProperties"] = 1
    paths: dict[str, dict[str, Any]] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(
            route, schemas, admission
        )
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Tasks API", "version": __version__, "description": _ABOUT},
            "paths": paths,
            "components": {
                "schemas": schemas,
                "headers": HEADERS,
                **admission.components(),
            },
        }
    )


def _operation(route: Route, schemas: dict[str, Any], admission: Admission) -> dict[str, Any]:
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
            "content": content([operation.body], schemas),
        }
    if security := admission.security(route):
        described["security"] = security
    described["responses"] = responses(operation, schemas, admission.errors(route))
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
        for header in (*operation.headers, *(CONDITIONS if operation.tagged else ()))
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
