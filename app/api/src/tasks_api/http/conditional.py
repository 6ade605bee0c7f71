"""ETag, If-None-Match and If-Match: which version of a task or of a list it is (RFC 9110, 13).

A task's version is its `updated_at`, which moves on every change. Its tag is strong, so that it can
stand in If-Match; the member `source`, which tells how an answer came about, is no part of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

_QUOTE = b'"'
_TAG = r'(?:W/)?"[^"]*"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")


class Wanted(NamedTuple):
    """Which versions of a task may be changed."""

    only: list[datetime] | None
    """One of these; None: any."""
    never: list[datetime]
    """None of these."""


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
    opaque = tag.removeprefix("W/")
    return if_none_match.strip() == "*" or opaque in (
        found.removeprefix("W/") for found in _tags(if_none_match)
    )


def matches(tag: str, if_match: str) -> bool:
    """Whether the header If-Match names the version `tag`; strong comparison: a weak one never does."""
    return if_match.strip() == "*" or (not tag.startswith("W/") and tag in _tags(if_match))


def wanted_versions(environ: Mapping[str, Any]) -> Wanted:
    """The versions of a task that If-Match and If-None-Match allow to be changed.

    Tags that are of no task match none. ``If-None-Match: *`` asks for there to be no such task, so
    none may be changed.
    """
    if_match, if_none_match = environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH", "")
    only = None if if_match is None or if_match.strip() == "*" else _versions(_tags(if_match))
    if if_none_match.strip() == "*":
        only = []
    return Wanted(only, _versions(tag.removeprefix("W/") for tag in _tags(if_none_match)))


def _tags(header: str) -> list[str]:
    """The entity tags of a header, as they were sent; none of one that is no list of them."""
    return re.findall(_TAG, header) if _TAGS.fullmatch(header) else []


def _versions(tags: Iterable[str]) -> list[datetime]:
    return [version for tag in tags if (version := _version(tag))]


def _version(tag: str) -> datetime | None:
    """The version that a tag of ours stands for; other spellings of a time were never sent."""
    try:
        version = datetime.fromisoformat(tag.strip('"'))
    except ValueError:
        return None
    text = version.isoformat()
    # PostgreSQL writes no zeros at the end of a fraction.
    return version if tag == f'"{text.rstrip("0") if version.microsecond else text}"' else None
