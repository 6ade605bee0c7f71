"""Tasks that a verification creates, recognisable by their title, and gone when it ends.

Nobody else writes to them, so whatever other clients do, what is acknowledged of them has to be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from ..system import OutOfTimeError
from .api import UnreachableError
from .context import Context
from .promise import BrokenPromiseError, promising
from .times import moment

TITLE = "stackwright verification probe "
# The seed's. A task may have more members.
_FIELDS = ("id", "title", "description", "status", "created_at", "updated_at")
# By their words, which have an index: titles have none. Those of a verification elsewhere are left to it while it may
# run.
_FIND = f"""SELECT coalesce(json_agg(id ORDER BY id), '[]') FROM tasks
WHERE tasks_words(title, description) @@ plainto_tsquery('simple', '{TITLE}') AND (title LIKE '{TITLE}{{mark}}%'
  OR title LIKE '{TITLE}%' AND created_at < now() AT TIME ZONE 'UTC' - interval '10 minutes')"""
_DELETE = f"DELETE FROM tasks WHERE title LIKE '{TITLE}%' AND id = "


def title(context: Context) -> str:
    """A title for a probe, like no other."""
    return f"{TITLE}{context.mark} {token_hex(8)}"


def create(context: Context) -> dict[str, Any]:
    """Create a probe and return it as acknowledged. Raises BrokenPromiseError, promise ``create``."""
    sent = {
        "title": title(context),
        "description": "Created by a verification, which deletes it again.",
        "status": "pending",
    }
    with promising("create"):
        answer = context.api.must("POST", "/tasks", (201, 422), sent)
        if answer.status == 422:  # tasks have got another member that is required
            sent = sent | _examples(context, sent)
            answer = context.api.must("POST", "/tasks", 201, sent)
        return _acknowledged(answer.body, "Task created successfully", sent)


def update(context: Context, probe: dict[str, Any]) -> dict[str, Any]:
    """Change a probe and return it as acknowledged. Raises BrokenPromiseError."""
    sent = {"description": f"Changed: {token_hex(8)}", "status": "in_progress"}
    kept = {name: probe[name] for name in ("id", "title", "created_at")}
    with promising("update"):
        answer = context.api.must("PUT", f"/tasks/{probe['id']}", 200, sent)
        changed = _acknowledged(answer.body, "Task updated successfully", sent | kept)
        if moment(changed["updated_at"]) <= moment(probe["updated_at"]):
            raise BrokenPromiseError("updated_at moves on a change", f"still {probe['updated_at']}")
    return changed


def delete(context: Context, probe: dict[str, Any]) -> None:
    """Delete a probe. Raises BrokenPromiseError."""
    with promising("delete"):
        answer = context.api.must("DELETE", f"/tasks/{probe['id']}", 200)
        _acknowledged(answer.body, "Task deleted successfully", {"id": probe["id"]})


def remove_all(context: Context) -> list[str]:
    """Delete every probe of this verification, and of earlier ones that were killed.

    Through the API, so that no cache keeps them; where that fails, through SQL. Never raises.

    Returns:
        what could not be removed, as lines of text.
    """
    find = _FIND.format(mark=context.mark)
    try:
        left = context.sql_json(find)
        for task_id in left:
            try:
                context.api.ask("DELETE", f"/tasks/{int(task_id)}")
            except UnreachableError:
                break
        if left and (left := context.sql_json(find)):
            for task_id in left:
                context.sql(f"{_DELETE}{int(task_id)}")
            left = context.sql_json(find)
    except (BrokenPromiseError, OutOfTimeError) as error:
        reason = str(error) or "out of time"
        return [f"tasks titled '{TITLE}…' may be left: {reason}"]
    return [f"task {task_id} is left and could not be deleted" for task_id in left]


def _examples(context: Context, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What the API's own description gives as examples of the other members that a new task must have."""
    described = context.api.must("GET", "/openapi.json", 200).body
    new_task = described.get("components", {}).get("schemas", {}).get("NewTask", {})
    rules = {name: new_task["properties"][name] for name in new_task.get("required", ())}
    return {
        name: [*rule.get("examples", ()), *rule.get("enum", ()), rule.get("minimum", "")][0]
        for name, rule in rules.items()
        if name not in sent
    }


def _acknowledged(body: dict[str, Any], message: str, sent: dict[str, Any]) -> dict[str, Any]:
    """The task of a write's answer. Raises BrokenPromiseError if it is not what was asked for."""
    task = body.get("task")
    if not isinstance(task, dict) or not task.keys() >= set(_FIELDS):
        raise BrokenPromiseError(f"a task with {', '.join(_FIELDS)}", str(body)[:200])
    if body.get("message") != message:
        raise BrokenPromiseError(f"message '{message}'", f"'{body.get('message')}'")
    for name, value in sent.items():
        if task[name] != value:
            raise BrokenPromiseError(f"{name} is {value!r}", repr(task[name]))
    return task
