"""Keeping secrets out of everything that is printed or written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "********"


class Masker:
    """Replaces secrets in texts by ``mask``, in the spellings in which programs print them.

    A secret is a text, or a mapping of names to texts.
    """

    def __init__(self, secrets: Iterable[str | Mapping[str, str]] = (), mask: str = MASK) -> None:
        self._mask = mask
        texts = [
            str(text)
            for secret in secrets
            for text in (secret.values() if isinstance(secret, Mapping) else [secret])
        ]
        spellings = {spelling for text in texts if text for spelling in _spellings(text)}
        # The longest first: a secret may contain another one.
        self._spellings = sorted(spellings, key=len, reverse=True)

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        for spelling in self._spellings:
            text = text.replace(spelling, self._mask)
        return text

    def tree(self, value: Any) -> Any:
        """A JSON-like ``value`` with every string in it masked, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.tree(key): self.tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value


def _spellings(secret: str) -> set[str]:
    """A secret plain, in JSON, in a Python repr, in SQL, in a URL."""
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        secret.replace("'", "''"),
        quote(secret, safe=""),
        quote_plus(secret),
    }
