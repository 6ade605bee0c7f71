"""A newcomer adds a field to a task: a migration and one declaration in one model, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.servers import API_SOURCE, ApiProcess, Postgres

MIGRATION = "ALTER TABLE tasks ADD COLUMN test_rank integer NOT NULL DEFAULT 3"
FIELD = "    test_rank: Annotated[int, Meta(description='A whole number from 1 to 5.', ge=1, le=5{})] = 3\n"
NOT_A_FILTER, IS_A_FILTER = FIELD.format(""), FIELD.format(", extra=FILTER")
LAST = "    updated_at: Moment\n"


def test_a_new_field_is_in_everything(
    api: ApiProcess,
    api_environment: dict[str, str],
    postgres: Postgres,
    database: str,
    tmp_path: Path,
) -> None:
    source = with_field(tmp_path, NOT_A_FILTER)
    postgres.execute(MIGRATION, database)
    api.start(**api_environment, PYTHONPATH=str(source))
    ask = asking(api)

    assert ask("POST", "/tasks", {"title": "t"})["task"]["test_rank"] == 3
    created = ask("POST", "/tasks", {"title": "t", "test_rank": 5})["task"]
    assert created["test_rank"] == 5
    address = f"/tasks/{created['id']}"
    changed = ask("PUT", address, {"test_rank": 1})["task"]
    assert changed == created | {"test_rank": 1, "updated_at": changed["updated_at"]}
    for source_named in ("database", "cache"):
        one, everything = ask("GET", address), ask("GET", "/tasks")
        assert one == {"source": source_named, "task": changed}
        assert everything["source"] == source_named
        assert [task["test_rank"] for task in everything["tasks"]] == [1, 3, 3, 3, 3]
    assert ask("GET", "/tasks?limit=1")["tasks"] == [changed]
    assert ask("POST", "/tasks", {"title": "t", "test_rank": 6})["error"]["fields"] == {
        "test_rank": "Must be a whole number from 1 to 5."
    }
    assert ask("GET", "/tasks?test_rank=3")["error"]["fields"] == {
        "test_rank": "Is not known here."
    }
    schemas = ask("GET", "/openapi.json")["components"]["schemas"]
    described = {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
        "description": "A whole number from 1 to 5.",
    }
    assert schemas["Task"]["properties"]["test_rank"] == described | {"default": 3}
    assert "test_rank" in schemas["Task"]["required"]
    for name in ("NewTask", "TaskChanges"):
        assert schemas[name]["properties"]["test_rank"] == described
        assert "test_rank" not in schemas[name]["required"]


def test_a_new_field_that_is_a_filter(
    api: ApiProcess,
    api_environment: dict[str, str],
    postgres: Postgres,
    database: str,
    tmp_path: Path,
) -> None:
    source = with_field(tmp_path, IS_A_FILTER)
    postgres.execute(MIGRATION, database)
    api.start(**api_environment, PYTHONPATH=str(source))
    ask = asking(api)

    created = ask("POST", "/tasks", {"title": "t", "test_rank": 5})["task"]
    assert ask("GET", "/tasks?test_rank=5")["tasks"] == [created]
    assert ask("GET", "/tasks?test_rank=3&status=pending")["count"] == 1
    assert ask("GET", "/tasks?test_rank=6")["error"]["fields"] == {
        "test_rank": "Must be a whole number from 1 to 5."
    }
    parameters = ask("GET", "/openapi.json")["paths"]["/tasks"]["get"]["parameters"]
    [described] = [one for one in parameters if one["name"] == "test_rank"]
    assert described["in"] == "query"
    assert described["schema"] == {"type": "integer", "minimum": 1, "maximum": 5}


@pytest.mark.parametrize("kind", ["int", "Annotated[int, Meta(ge=1)]"])
def test_a_new_field_needs_a_description(tmp_path: Path, kind: str) -> None:
    source = with_field(tmp_path, f"    test_rank: {kind} = 3\n")
    result = subprocess.run(
        [sys.executable, "-c", "import tasks_api.tasks.models"],
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    reason = "TypeError: Task.test_rank: write Annotated[…, Meta(description=…)]"
    assert result.stderr.splitlines()[-1] == reason


def with_field(folder: Path, line: str) -> Path:
    """Copy the API's source with a line added to the model; returns where it is."""
    source = folder / "src"
    shutil.copytree(API_SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    models = source / "tasks_api/tasks/models.py"
    text = models.read_text(encoding="utf-8")
    assert text.count(LAST) == 1
    models.write_text(text.replace(LAST, LAST + line), encoding="utf-8")
    return source


def asking(api: ApiProcess) -> Callable[..., Any]:
    """Return a function that sends one request and returns what the JSON of its answer says."""

    def ask(method: str, path: str, body: object = None) -> Any:
        headers = {"Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        return json.loads(api.request(method, path, text, headers)[1])

    return ask
