"""What Redis holds under a key, looked at without fetching more of it than a fixed part."""

from __future__ import annotations

import json
import re
from typing import Any

from .context import Context
from .report import CACHE, CheckFailed

LIST_KEY = "all_tasks"
_LAST_BYTE = 65_535
_CALLS = r"^cmdstat_{}:calls=(\d+)"
_POLLS = 10
_POLL_SECONDS = 0.1
# More than a write in a second keeps no list cold that is asked for again and again.
_FEWEST_WRITES = 2


def task_key(task_id: int) -> str:
    """The key of one task, to which nobody writes but whoever writes to the task."""
    return f"task:{task_id}"


def milliseconds_left(context: Context, key: str) -> int:
    """As PTTL has it: -2 where there is no such key, -1 where it never expires. Raises CheckFailed."""
    answer = context.redis("PTTL", key)
    try:
        return int(answer.removeprefix("(integer) "))
    except ValueError:
        raise CheckFailed("a number from PTTL", answer[:80] or "nothing", role=CACHE) from None


def beginning(context: Context, key: str) -> str:
    """The first 64 KiB of a value, empty where there is none. Raises CheckFailed."""
    return context.redis("GETRANGE", key, "0", str(_LAST_BYTE)).removeprefix("(nil)")


def task_of(text: str, key: str) -> Any:
    """The value of one task's key. Raises CheckFailed if it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        raise CheckFailed(f"{key} is plain JSON", text[:80]) from None


def tasks_of(text: str) -> list[dict[str, Any]]:
    """The tasks that are whole in the beginning of the list. Raises CheckFailed if it is no list of tasks."""
    if len(text.encode()) <= _LAST_BYTE:
        found = task_of(text, LIST_KEY)
        tasks = found.get("tasks") if isinstance(found, dict) else found
    else:
        tasks = list(_whole_ones(text))
    if not isinstance(tasks, list) or not all(
        isinstance(task, dict) and "id" in task for task in tasks
    ):
        raise CheckFailed(f"{LIST_KEY} is a JSON list of tasks", text[:80])
    return tasks


def _whole_ones(text: str) -> list[Any]:
    """The items of a JSON array whose end is cut off, but for what is cut itself."""
    if not text.startswith("["):
        raise CheckFailed(f"{LIST_KEY} is a JSON list of tasks", text[:80])
    decoder, items, place = json.JSONDecoder(), [], 1
    while True:
        try:
            item, place = decoder.raw_decode(text, place)
        except ValueError:
            break
        items.append(item)
        place += len(text) - place - len(text[place:].lstrip(", \n"))
    if not items and not text.startswith("[{"):
        raise CheckFailed(f"{LIST_KEY} is plain JSON", text[:80])
    return items


def others_read(context: Context) -> bool:
    """Whether somebody else looks up keys in Redis right now, while this verification does not."""
    return _others_call(context, "get", 1)


def others_write(context: Context) -> bool:
    """Whether somebody else writes tasks right now: a write enters its fence by ZADD, see the API's lease.py."""
    return _others_call(context, "zadd", _FEWEST_WRITES)


def _others_call(context: Context, command: str, fewest: int) -> bool:
    before = _calls(context, command)
    for _ in range(_POLLS):
        context.deadline.pause(_POLL_SECONDS)
        if _calls(context, command) >= before + fewest:
            return True
    return False


def _calls(context: Context, command: str) -> int:
    text = context.redis("INFO", "commandstats")
    found = re.search(_CALLS.format(command), text, re.MULTILINE)
    return int(found[1]) if found else 0
