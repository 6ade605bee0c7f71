"""Tasks as the API describes them and as SQL shows them, and the probes: tasks that a verification creates.

Probes are recognisable by their title, and gone when it ends. Nobody else writes to them, so whatever other clients do,
what is acknowledged of them has to be seen. What members a task has, and which a new one needs, the API's own
description says, so that a new field needs nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from ..system import OutOfTimeError
from .client import UnreachableError
from .context import Context
from .report import CheckFailed, belonging_to

TITLE = "stackwright verification probe "
# By their words, which have an index: titles have none. Those of a verification elsewhere are left to it while it may
# run.
_FIND = f"""SELECT coalesce(json_agg(id ORDER BY id), '[]') FROM tasks
WHERE tasks_words(title, description) @@ plainto_tsquery('simple', '{TITLE}') AND (title LIKE '{TITLE}{{mark}}%'
  OR title LIKE '{TITLE}%' AND created_at < now() AT TIME ZONE 'UTC' - interval '10 minutes')"""
_DELETE = f"DELETE FROM tasks WHERE title LIKE '{TITLE}%' AND id = "
_ROWS = """SELECT coalesce(json_agg(json_build_object('task', row_to_json(t), 'version', t.xmin::text,
  'rewritten', t.xmin::text NOT IN (SELECT xmin::text FROM schema_migrations))), '[]')
FROM tasks t WHERE t.id IN ({ids})"""


def title(context: Context) -> str:
    """A title for a probe, like no other."""
    return f"{TITLE}{context.mark} {token_hex(8)}"


def create(context: Context) -> dict[str, Any]:
    """Create a probe and return it as acknowledged. Raises CheckFailed, check ``create``."""
    with belonging_to("create"):
        new = _schema(context, "NewTask")
        own = {"title": title(context), "description": "Of a verification, which deletes it again."}
        sent = {name: value for name, value in own.items() if name in new["properties"]}
        for name in set(new.get("required", ())) - own.keys():
            sent[name] = _example(name, new["properties"][name])
        rules = _schema(context, "Task")["properties"].items()
        left_out = {name: rule["default"] for name, rule in rules if "default" in rule}
        response = context.api.expect("POST", "/tasks", 201, sent)
        return _acknowledged(context, response.body, "created", left_out | sent)


def update(context: Context, probe: dict[str, Any]) -> dict[str, Any]:
    """Change a probe's title and every member with a choice; return it as acknowledged. Raises CheckFailed."""
    with belonging_to("update"):
        rules = _schema(context, "TaskChanges")["properties"].items()
        choices = {name: rule["enum"] for name, rule in rules if "enum" in rule}
        sent = {
            name: next((one for one in choice if one != probe[name]), probe[name])
            for name, choice in choices.items()
        }
        sent["title"] = title(context)
        response = context.api.expect("PUT", f"/tasks/{probe['id']}", 200, sent)
        kept = {name: value for name, value in probe.items() if name != "updated_at"}
        changed = _acknowledged(context, response.body, "updated", kept | sent)
        if moment(changed["updated_at"]) <= moment(probe["updated_at"]):
            raise CheckFailed("updated_at moves on a change", f"still {probe['updated_at']}")
    return changed


def delete(context: Context, probe: dict[str, Any]) -> None:
    """Delete a probe. Raises CheckFailed."""
    with belonging_to("delete"):
        response = context.api.expect("DELETE", f"/tasks/{probe['id']}", 200)
        _acknowledged(context, response.body, "deleted", {"id": probe["id"]})


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
                context.api.request("DELETE", f"/tasks/{int(task_id)}")
            except UnreachableError:
                break
        if left and (left := context.sql_json(find)):
            for task_id in left:
                context.sql(f"{_DELETE}{int(task_id)}")
            left = context.sql_json(find)
    except (CheckFailed, OutOfTimeError) as error:
        reason = str(error) or "out of time"
        return [f"tasks titled '{TITLE}…' may be left: {reason}"]
    return [f"task {task_id} is left and could not be deleted" for task_id in left]


def rows_of(context: Context, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The rows with these ids, by id: ``task``, ``version`` and ``rewritten``. Raises CheckFailed.

    ``task`` has every column; ``version`` changes with every change of a row; ``rewritten`` is false for one that is
    still as the transaction of a migration left it.
    """
    found = context.sql_json(_ROWS.format(ids=", ".join(str(int(one)) for one in ids)))
    return {row["task"]["id"]: row for row in found}


def same(row: Mapping[str, Any], task: Mapping[str, Any]) -> bool:
    """Whether a row of SQL and a task of the API say the same, in each member that is a column."""
    stored = row["task"]
    return all(_equal(stored[name], value) for name, value in task.items() if name in stored)


def moment(text: object) -> datetime:
    """An ISO 8601 timestamp, taken as UTC where it names no zone. Raises CheckFailed."""
    try:
        value = datetime.fromisoformat(str(text))
    except ValueError:
        raise CheckFailed("a timestamp in ISO 8601", repr(text)) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _equal(stored: Any, shown: Any) -> bool:
    """Whether two values in JSON mean the same: a time or a number may be written in more than one way."""
    if stored == shown:
        return True
    with suppress(CheckFailed, ValueError, TypeError):
        if isinstance(stored, str):
            return isinstance(shown, str) and moment(stored) == moment(shown)
        return float(stored) == float(shown)
    return False


def _schema(context: Context, name: str) -> Mapping[str, Any]:
    """What /openapi.json, asked for once, says of ``Task``, ``NewTask`` or ``TaskChanges``. Raises CheckFailed."""
    if not context.schemas:
        response = context.api.expect("GET", "/openapi.json", 200)
        found = response.body.get("components", {}).get("schemas", {})
        if not all(
            "properties" in found.get(one, {}) for one in ("Task", "NewTask", "TaskChanges")
        ):
            raise CheckFailed("GET /openapi.json describes tasks", str(response))
        context.schemas = found
    schema: Mapping[str, Any] = context.schemas[name]
    return schema


def _example(name: str, rule: Mapping[str, Any]) -> Any:
    """A value that the description of a member allows. Raises CheckFailed where it does not say enough."""
    for word in ("examples", "enum"):
        if rule.get(word):
            return rule[word][0]
    for word in ("default", "const", "minimum"):
        if word in rule:
            return rule[word]
    if rule.get("type") == "boolean":
        return False
    raise CheckFailed(
        f"an example of {name}, which a new task must have, in /openapi.json",
        f"only {dict(rule)}",
        fix=f"Give Task.{name} a default, or an example: Meta(description=…, examples=[…])",
    )


def _acknowledged(
    context: Context, body: dict[str, Any], done: str, wanted: dict[str, Any]
) -> dict[str, Any]:
    """The task of a write's response. Raises CheckFailed if it is not what was asked for."""
    task, members = body.get("task"), _schema(context, "Task").get("required", ())
    if not isinstance(task, dict) or not task.keys() >= {"id", "updated_at", *members}:
        raise CheckFailed(f"a task with {', '.join(members)}", str(body)[:200])
    message = f"Task {done} successfully"
    if body.get("message") != message:
        raise CheckFailed(f"message '{message}'", f"'{body.get('message')}'")
    for name, value in wanted.items():
        if task[name] != value:
            raise CheckFailed(f"{name} is {value!r}", repr(task[name]))
    return task
