"""POST that may be sent again: one Idempotency-Key creates one task, whoever serves the request.

Key and task are kept by one statement, so there are both or neither, in every process and after
every restart. Of two requests at once the second waits for the first, and then finds the key taken.
See "The Idempotency-Key HTTP Header Field", an Internet-Draft of the IETF's httpapi group.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

import msgspec
from psycopg2.errors import UniqueViolation  # type: ignore[import-untyped]

from tasks_api.db.database import Database
from tasks_api.errors import ApiError, Unprocessable
from tasks_api.tasks.queries import RETURNING, SHOWN, Task, insertion

HEADER = "Idempotency-Key"
KEY = "^[!-~]{1,255}$"
"""The pattern of a key."""

# Keys are of use for a day. Old ones go a few at a time, in passing.
_CREATE = f"""
    WITH t AS ({{}} {RETURNING}), kept AS (
        INSERT INTO idempotency_keys (key, request, task) SELECT %s, %s, row_to_json(t) FROM t
    ), outdated AS (
        DELETE FROM idempotency_keys WHERE key IN (
            SELECT key FROM idempotency_keys WHERE created_at < now() - interval '1 day'
            LIMIT 10 FOR UPDATE SKIP LOCKED)
    )
    {SHOWN}"""
_FIND = "SELECT request, (task->>'id')::integer, task::text FROM idempotency_keys WHERE key = %s"


class KeyReused(ApiError):
    """422: the key was used for another task, as the draft has it."""

    status, code = 422, "idempotency_key_reused"
    message = f"This {HEADER} was used for another task."


class Created(NamedTuple):
    """A task, and whether an earlier request with the same key created it."""

    task: Task
    replayed: bool


def create_once(database: Database, key: str, values: dict[str, object]) -> Created:
    """Insert a task with validated `values`, unless that was done under this `key`.

    Raises:
        Unprocessable: 422, the key is none.
        KeyReused: 422.
        Unavailable: 503; the same request may be sent again.
    """
    if not re.fullmatch(KEY, key):
        raise Unprocessable(
            f"{HEADER} is not acceptable.", {HEADER: "Must be 1 to 255 visible ASCII characters."}
        )
    request = hashlib.sha256(msgspec.json.encode(values, order="sorted")).digest()
    statement, parameters = insertion(values)
    try:
        # As good as a read: a second run finds the key of the first.
        row = database.read(_CREATE.format(statement), [*parameters, key, request])
        assert row is not None
        return Created(Task(row[0], row[1].encode()), replayed=False)
    except UniqueViolation:
        row = database.read(_FIND, (key,))
    if row is None:  # it went with the outdated ones just now
        return create_once(database, key, values)
    if bytes(row[0]) != request:
        raise KeyReused
    return Created(Task(row[1], row[2].encode()), replayed=True)
