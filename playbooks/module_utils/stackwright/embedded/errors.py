"""What goes wrong in the embedded runtime."""

from __future__ import annotations


class EmbeddedError(Exception):
    """Something that the user has to know; the message says what is wrong and what to do, and holds no secret."""
