"""ETag, If-None-Match and If-Match: which version of a task or of a list it is (RFC 9110, 13).

A task's version is its `updated_at`, which moves on every change. Its tag is strong, so that it can
stand in If-Match; the member `source`, which tells how an answer came about, is no part of it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

_QUOTE = b'"'
_TAG = re.compile(r'(W/)?"([^"]*)"')


def task_tag(task: bytes) -> str:
    """The ETag of a task given as JSON."""
    _, _, rest = task.rpartition(b'"updated_at":"')
    return f'"{rest.partition(_QUOTE)[0].decode()}"'


def list_tag(tasks: bytes) -> str:
    """The ETag of a list given as JSON: weak, for it is compressed or not."""
    return f'W/"{hashlib.blake2b(tasks, digest_size=12).hexdigest()}"'


def unchanged(tag: str, if_none_match: str) -> bool:
    """Whether the header If-None-Match names the version `tag`; weak comparison.

    What has no tag, an empty one, is never unchanged.
    """
    if not tag:
        return False
    opaque = tag.removeprefix("W/").strip('"')
    return if_none_match.strip() == "*" or opaque in (
        found[2] for found in _TAG.finditer(if_none_match)
    )


def wanted_versions(if_match: str | None, if_none_match: str | None) -> list[datetime] | None:
    """The versions of a task that the header If-Match allows to be changed; None: any.

    Weak tags, and those that are of no task, match none. With ``If-None-Match: *``, which asks for
    there to be no such task, it is none either.
    """
    if if_none_match and if_none_match.strip() == "*":
        return []
    if if_match is None or if_match.strip() == "*":
        return None
    versions = []
    for found in _TAG.finditer(if_match):
        if not found[1]:
            try:
                version = datetime.fromisoformat(found[2])
            except ValueError:
                continue
            if version.tzinfo is None:
                versions.append(version)
    return versions
