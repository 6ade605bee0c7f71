"""What goes wrong in the embedded runtime."""

from __future__ import annotations


class EmbeddedError(Exception):
    """Something that the user has to know; the message says what is wrong and what to do, and holds no secret."""


class ProgramError(EmbeddedError):
    """A program does not come up. What it printed says why, and is not understood here."""
