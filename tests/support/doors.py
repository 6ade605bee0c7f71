"""Every operation of the API in every spelling of its path, and what may come of asking for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

SCOPES = ("read", "write", "admin")
NOT_FOUND = {"not_found", "method_not_allowed", "unknown_method", "bad_request", "misdirected"}
"""Codes of errors that no operation answers."""

Ask = Callable[[str, str, str | None], tuple[int, str]]
"""Takes method, target of the request and the scope of the token, if any; gives status and code of the error."""


class Door(NamedTuple):
    """An operation by one of its names."""

    method: str
    target: str
    scope: str | None
    """What its token needs; None: it needs none."""
    usual: bool
    """Whether it is spelled as it is described."""


def doors(document: dict[str, Any], host: str) -> Iterator[Door]:
    """All operations of a description, in all spellings."""
    for path, operations in document["paths"].items():
        for name, operation in operations.items():
            method = name.upper()
            (requirement,) = operation.get("security") or [{"bearer": [None]}]
            scope = requirement["bearer"][0]
            address = path.replace("{id}", "1")
            for target in (address, *spellings(address, host)):
                yield Door(method, target, scope, target == address)
            yield Door(method.lower(), address, scope, usual=False)
            if method == "GET":
                yield Door("HEAD", f"/{address}", scope, usual=False)


def spellings(path: str, host: str) -> list[str]:
    """Other request targets that somebody might take for this path."""
    name = path[1:]
    return [
        *(f"/{path}", f"//{path}", f"/.{path}", f"/x/..{path}", f"/%2e%2e{path}", f"/%2f{name}"),
        *(f"/%2F{name}", f"/%5c{name}", f"/;{path}", f"/%00{path}", f"/%20{name}", f"/%09{path}"),
        *(f"{path}/", f"{path}//", f"{path}/.", f"{path};x", f"{path};/", f"{path}%3bx"),
        *(f"{path}%2f", f"{path}%20", f"{path}%00", f"{path}?x", f"{path}%3f", f"{path}.json"),
        *(path.replace("/", "//"), path.replace("/", "/./"), "/" + name.replace("/", "%2f")),
        *(path.upper(), path.title(), f"/%{ord(name[0]):02x}{name[1:]}" if name else "/%2f"),
        *(f"http://{host}{path}", f"http://{host}/{path}", f"HTTP://{host.upper()}/{path}"),
        *(f"https://{host}/.{path}", f"https://{host}//{path}", f"http://other.example{path}"),
    ]


def try_all(document: dict[str, Any], ask: Ask, host: str) -> int:
    """Ask the API at `host` for everything with every token and none; returns how often."""
    asked, described, entered = 0, set(), set()
    for door in doors(document, host):
        if door.usual:
            described.add((door.method, door.target))
        for token in (None, *SCOPES):
            status, code = ask(door.method, door.target, token)
            asked += 1
            refused = status in (401, 403) or code in NOT_FOUND or (status >= 400 and not code)
            enough = door.scope is None or (
                token is not None and SCOPES.index(token) >= SCOPES.index(door.scope)
            )
            assert refused or enough, (door, token, status, code)
            assert status != 401 or token is None, (door, token)
            assert status < 500 or status == 501, (door, token, status)
            if door.usual and enough:
                assert not refused, (door, token, status, code)
                entered.add((door.method, door.target))
    assert entered == described
    return asked


def code_of(body: bytes) -> str:
    """The code of an error, or nothing."""
    try:
        value = json.loads(body)
    except ValueError:
        return ""
    error = value.get("error") if isinstance(value, dict) else None
    return str(error["code"]) if error else ""
