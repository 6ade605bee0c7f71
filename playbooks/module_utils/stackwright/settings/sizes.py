"""Sizes as settings have them: ``512m``."""

from __future__ import annotations

UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}


def size_in_bytes(text: str) -> int:
    """``512m`` → 536870912. The form is the schema's: digits and one of k, m, g (powers of 1024)."""
    return int(text[:-1]) * UNITS[text[-1]]
