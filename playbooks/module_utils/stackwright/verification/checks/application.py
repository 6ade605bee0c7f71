"""Checks of whatever application runs: its health, and the requests that the setting app_checks declares."""

from __future__ import annotations

import json
from typing import Any

from ..client import UnreachableError
from ..context import Context
from ..report import CheckFailed, Finding
from ..target import DeclaredCheck

_POLL_SECONDS = 0.5
_SHOWN_CHARACTERS = 200
_ABSENT = object()


def health(context: Context) -> Finding:
    """An application of one's own answers 200 at its health path, within the wait that the target allows."""
    application, waited = context.target.application, context.target.health_wait
    end = context.deadline.left() - waited
    while True:
        try:
            response = context.api.request("GET", application.health_path)
            got = "" if response.status == 200 else str(response)
        except UnreachableError as error:
            got = str(error)
        if not got:
            return Finding(
                f"GET {application.health_path} answers 200; this is {application.folder}, of which nothing that the "
                "tasks API promises is asked",
                {"application": application.folder},
            )
        if context.deadline.left() <= max(end, _POLL_SECONDS):
            expected = f"GET {application.health_path} answers 200 within {waited:g} s"
            raise CheckFailed(expected, got)
        context.deadline.pause(_POLL_SECONDS)


def undeclared(context: Context) -> Finding:
    """Stands in for checks of an application that has none declared: what is not asked is not known."""
    text = f"{context.target.application.folder} is healthy, and nothing else of it was asked"
    return Finding(text, unknown="whether it does what it should: app_checks declares nothing")


def declared(context: Context, check: DeclaredCheck) -> Finding:
    """A declared request is answered as declared. Raises CheckFailed."""
    body = check.body.encode() if isinstance(check.body, str) else check.body
    response = context.api.expect(check.method, check.path, check.status, body, check.headers)
    asked = f"{check.method} {check.path}"
    parts = [f"{check.status}"]
    if check.json is not None:
        try:
            found = json.loads(response.text)
        except (ValueError, RecursionError):
            raise CheckFailed(f"{asked} answers JSON", str(response)) from None
        if difference := first_difference(check.json, found):
            place, wanted, got = difference
            raise CheckFailed(f"{asked} answers with {place} {wanted}", f"{got} in {response}")
        parts.append(f"json {_shown(check.json)}")
    if check.text:
        if check.text not in response.text:
            raise CheckFailed(f"{asked} answers with the text {check.text!r}", str(response))
        parts.append(f"text {check.text!r}")
    return Finding(f"{asked} answers {', '.join(parts)}", {"status": response.status})


def first_difference(wanted: Any, found: Any, place: str = "json") -> tuple[str, str, str] | None:
    """Where a value lacks something that is wanted: place, what was wanted there, what was found; None: nowhere.

    A mapping may have more members than are wanted; a list has as many items, in the same order.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name, value in wanted.items():
            if different := first_difference(value, found.get(name, _ABSENT), f"{place}.{name}"):
                return different
        return None
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            if different := first_difference(one, other, f"{place}[{number}]"):
                return different
        return None
    # To Python True is 1, and to JSON it is not.
    if isinstance(wanted, bool) is isinstance(found, bool) and wanted == found:
        return None
    return place, _shown(wanted), "no such member" if found is _ABSENT else _shown(found)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
