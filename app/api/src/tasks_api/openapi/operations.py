"""What the description says of a view, beside its docstring and its route."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from flask import current_app
from msgspec import Struct

from tasks_api.errors import ApiError
from tasks_api.http.auth import Declared

View = TypeVar("View", bound=Callable[..., Any])
Schema = type[Struct] | tuple[type[Struct], ...] | str


class Header(NamedTuple):
    """A request header that an operation takes, with its JSON Schema beyond being a string."""

    name: str
    description: str
    schema: dict[str, Any]


IF_MATCH = Header(
    "If-Match",
    "ETags, or `*`: only if it has one of these versions. A list's are weak, and never match.",
    {"examples": ['"2026-01-31T12:00:00.123456"']},
)
IF_NONE_MATCH = Header(
    "If-None-Match",
    "ETags, or `*`: only if it has none of these versions.",
    {"examples": ['"2026-01-31T12:00:00.123456"']},
)
CONDITIONS = (IF_MATCH, IF_NONE_MATCH)


@dataclass(frozen=True)
class Operation:
    """One view.

    `scope` is what a token needs, where tokens are asked for. `responses` has the schema of the
    response for each status, or its content type where that is none of ours; `shows` is what its
    example says other than the schema's. `errors` are all that it may answer instead. A `tagged`
    response has an ETag and minds If-Match and If-None-Match. `sends` are further headers of a
    successful response. `links` are operations on the task that is shown, with the parameters they
    take from the response beside its id. A view that `needs_flask` may use everything of Flask, such
    as `flask.request`; one that does not finds its request in `messages.current`, and is called
    without Flask's contexts and hooks, see `fast_path`.
    """

    responses: dict[int, Schema]
    scope: Declared
    shows: dict[int, dict[str, Any]] = field(default_factory=dict)
    errors: Iterable[ApiError] = ()
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    headers: Iterable[Header] = ()
    tagged: bool = False
    sends: Iterable[str] = ()
    links: Mapping[str, dict[str, str]] = field(default_factory=dict)
    needs_flask: bool = True

    @property
    def schemas(self) -> list[type[Struct]]:
        """Those of body and responses."""
        found: list[type[Struct]] = []
        for schema in (*self.responses.values(), self.body):
            if isinstance(schema, tuple):
                found += schema
            elif schema and not isinstance(schema, str):
                found.append(schema)
        return found


class Route(NamedTuple):
    """A path with its variables in braces, a method, and what is there."""

    path: str
    method: str
    view: Any
    operation: Operation
    tag: str


_operations: dict[Any, Operation] = {}


def describe(
    responses: dict[int, Schema], *, scope: Declared, **details: Any
) -> Callable[[View], View]:
    """Describe a view; the arguments are those of Operation."""

    def remember(view: View) -> View:
        _operations[view] = Operation(responses, scope, **details)
        return view

    return remember


def operation_of(view: object) -> Operation | None:
    """The description of a view, if it has one."""
    return _operations.get(view)


def scope_of(view: object) -> Declared:
    """The scope that a view declares; the highest for one that declares none."""
    operation = _operations.get(view)
    return operation.scope if operation else "admin"


def routes() -> list[Route]:
    """Everything the application serves. Raises KeyError for a view that nothing describes."""
    found = []
    for rule in current_app.url_map.iter_rules():
        view = current_app.view_functions[rule.endpoint]
        path = re.sub("<(.*?)>", r"{\1}", rule.rule)
        # HEAD and OPTIONS are everywhere, and said once for all.
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            tag = rule.endpoint.partition(".")[0]
            found.append(Route(path, method, view, _operations[view], tag))
    return found


def endpoints() -> dict[str, str]:
    """Method and path of every view, with the first line of its docstring."""
    return {
        f"{route.method} {route.path.replace('{', ':').replace('}', '')}": summary(route.view)
        for route in routes()
    }


def summary(documented: Any) -> str:
    """The first line of a docstring."""
    return (documented.__doc__ or "").partition("\n")[0]
