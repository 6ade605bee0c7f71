"""Tasks API: a Flask service over PostgreSQL with a Redis cache beside it."""

from __future__ import annotations

__version__ = "1.0.0"
