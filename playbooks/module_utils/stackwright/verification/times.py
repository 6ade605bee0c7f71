"""Timestamps as the API and SQL write them."""

from __future__ import annotations

from datetime import UTC, datetime

from .promise import BrokenPromiseError


def moment(text: object) -> datetime:
    """An ISO 8601 timestamp, taken as UTC where it names no zone. Raises BrokenPromiseError."""
    try:
        value = datetime.fromisoformat(str(text))
    except ValueError:
        raise BrokenPromiseError("a timestamp in ISO 8601", repr(text)) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
