"""What clients send, checked against a declaration, every wrong member being named at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from tasks_api.errors import Unprocessable

_MOST_UNKNOWN_REPORTED = 10
NOT_ACCEPTABLE = "Some fields are missing or not acceptable."


class Model:
    """A declaration, prepared for checking.

    Args:
        declaration: its members' descriptions say what a value must be.
        texts: values arrive as text, as in a query: numbers may be written so.
    """

    def __init__(self, declaration: type[Struct], *, texts: bool = False) -> None:
        self._strict = not texts
        self._members = {field.name: field.type for field in fields(declaration)}
        self._required = [field.name for field in fields(declaration) if field.required]
        self._wanted = {name: _wanted(kind) for name, kind in self._members.items()}

    def check(self, data: Mapping[str, object]) -> dict[str, Any]:
        """The members of `data`, each as its declared type.

        Raises:
            Unprocessable: 422 with a reason for each wrong, missing or unknown member.
        """
        problems: dict[str, str] = {}
        values: dict[str, Any] = {}
        for name in [name for name in data if name not in self._members][:_MOST_UNKNOWN_REPORTED]:
            problems[printable(name)] = "Is not known here."
        for name in self._required:
            if name not in data:
                problems[name] = "Is required."
        for name, kind in self._members.items():
            if name in data:
                try:
                    values[name] = msgspec.convert(data[name], kind, strict=self._strict)
                    _require_utf8(data[name])
                except (msgspec.ValidationError, UnicodeEncodeError):
                    problems[name] = self._wanted[name]
        if problems:
            raise Unprocessable(NOT_ACCEPTABLE, problems)
        return values

    def check_some(self, data: Mapping[str, object]) -> dict[str, Any]:
        """As `check`, but at least one member must be there."""
        if not data:
            raise Unprocessable(f"Give at least one of {', '.join(self._members)}.")
        return self.check(data)


def _wanted(kind: Any) -> str:
    """What a value must be: the description in a type, or in the part of an optional one."""
    if metadata := getattr(kind, "__metadata__", None):
        description = str(metadata[0].description)
        return f"Must be {description[0].lower()}{description[1:]}"
    return next(_wanted(part) for part in kind.__args__ if hasattr(part, "__metadata__"))


def printable(name: str) -> str:
    """A name of the client's, short enough and in UTF-8."""
    return name[:100].encode("utf-8", "replace").decode()


def _require_utf8(value: object) -> None:
    """Raise UnicodeEncodeError for a lone surrogate: legal in JSON as an escape, not in UTF-8."""
    if isinstance(value, str):
        value.encode()
