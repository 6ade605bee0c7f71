"""A small real HTTP server with the tasks API's contract that breaks one promise on demand.

Its whole state is one JSON file, which two scripts read as `psql` and `redis-cli` would: they stand in for the command
lines, not for the verifier. SQL statements are recognised by what they ask about.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from stackwright.verification.target import SeedTask, Target

SEED = (
    SeedTask(1, "Setup Docker Environment", "Configure all containers and networks", "completed"),
    SeedTask(2, "Create Flask API", "Develop REST API with CRUD operations", "in_progress"),
    SeedTask(3, "Implement Redis Cache", "Add caching layer for better performance", "pending"),
)
SQL_SCRIPT = """
import json, re, sys
path, statement = sys.argv[1:]
state = json.load(open(path))
state["statements"].append(statement)
json_ids = lambda ids: print(json.dumps(ids))
if state["sql_fails"]:
    sys.exit("psql: error: connection to server failed: " + state["sql_fails"])
if statement == "show server_version":
    print("16.14")
elif statement.startswith("DELETE"):
    state["tasks"] = [t for t in state["tasks"] if t["id"] != int(statement.rsplit("=", 1)[1])]
elif "LIKE" in statement:
    json_ids([t["id"] for t in state["tasks"] if t["title"].startswith("stackwright verification probe ")])
elif "octet_length" in statement:
    json_ids({"tasks": len(state["tasks"]), "bytes": state["list_bytes"]})
elif "pg_sequence_last_value" in statement:
    json_ids({"last_id": state["last_id"]})
elif "xmin" in statement:
    ids = [int(one) for one in re.search(r"IN \\(([\\d, ]+)\\)$", statement)[1].split(",")]
    rows = [t for t in state["tasks"] if t["id"] in ids]
    json_ids([{"task": t | {"internal": 1}, "rewritten": t["id"] in state["rewritten"], "version": "1"} for t in rows])
    state["tasks"] = [t | ({"status": t["status"] + "!"} if t["id"] in state["moving"] else {}) for t in state["tasks"]]
else:
    json_ids(state["migrations"])
json.dump(state, open(path, "w"))
"""
REDIS_SCRIPT = """
import json, sys
path, command, *arguments = sys.argv[1:]
state = json.load(open(path))
if state["redis_fails"]:
    print(state["redis_fails"])
elif command == "PTTL":
    seconds = state["list_ttl" if arguments == ["all_tasks"] else "ttl"]
    print((seconds * 1000 if seconds > 0 else seconds) if arguments[0] in state["cache"] else -2)
elif command == "GETRANGE":
    key, first, last = arguments
    value = state["redis_values"].get(key.partition(":")[0]) or state["cache"].get(key, "")
    print(value[int(first) : int(last) + 1])
elif command == "DEL":
    state["cache"] = {key: value for key, value in state["cache"].items() if key not in arguments}
    json.dump(state, open(path, "w"))
elif arguments == ["server"]:
    print("# Server\\r\\nredis_version:7.0.15\\r\\n")
else:
    state["gets"] += state["others_read"]
    state["zadds"] += state["others_write"]
    json.dump(state, open(path, "w"))
    print("".join(f"cmdstat_{name}:calls={state[f'{name}s']},usec=9\\r\\n" for name in ("get", "zadd")))
"""


@dataclass
class Stack:
    """The state file and the address of a running server."""

    path: Path
    port: int = 0
    faults: set[str] = field(default_factory=set)
    token: str = ""
    public_reads: bool = True
    members: dict[str, Any] = field(default_factory=dict)  # that tasks have besides, as described

    def read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.path.read_text())
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Replace the state as a whole: a script may be reading it."""
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(self.path)

    def change(self, **values: object) -> None:
        self.write(self.read() | values)

    def titles(self) -> list[str]:
        return [task["title"] for task in self.read()["tasks"]]

    def target(self, **changes: Any) -> Target:
        """This server as the verifier sees it."""
        folder = self.path.parent
        (folder / "sql.py").write_text(SQL_SCRIPT)
        (folder / "redis.py").write_text(REDIS_SCRIPT)
        (folder / "api.log").write_text("first line\nlast line of the log\n")
        sql = [sys.executable, "-S", str(folder / "sql.py"), str(self.path)]
        redis = [sys.executable, "-S", str(folder / "redis.py"), str(self.path)]
        values: dict[str, Any] = {
            "environment": "dev",
            "runtime": "compose",
            "base_url": f"http://127.0.0.1:{self.port}",
            "sql_command": sql,
            "redis_command": redis,
            "seed_tasks": SEED,
            "cache_ttl": 60,
            "expected_services": {
                "api-web": [],
                "banco-dados": [*sql, "show server_version"],
                "cache-redis": [*redis, "INFO", "server"],
            },
            "log_commands": {"api-web": ["tail", "-n", "1", str(folder / "api.log")]},
            "schema_version": 2,
            "deadline": 30,
            "health_wait": 0.5,
        }
        return Target(**(values | changes))


def now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def fresh_state() -> dict[str, Any]:
    created = {"created_at": "2025-12-02T10:00:00", "updated_at": "2025-12-02T10:00:00"}
    return {
        "tasks": [vars(task) | created for task in reversed(SEED)],
        "cache": {},
        "last_id": 3,
        "rewritten": [],
        "moving": [],
        "migrations": [1, 2],
        "list_bytes": 1000,
        "ttl": 60,
        "list_ttl": 60,
        "gets": 0,
        "zadds": 0,
        "others_read": 0,
        "others_write": 0,
        "redis_values": {},
        "redis_fails": "",
        "redis_refuses": "",
        "sql_fails": "",
        "statements": [],
    }


def described(members: dict[str, Any]) -> dict[str, Any]:
    """The schemas of tasks, as /openapi.json has them, with further members that a new one must have."""
    text: dict[str, Any] = {"type": "string"}
    status = {"enum": ["pending", "in_progress", "completed"]}
    settable = {"title": text, "description": text, "status": status, **members}
    shown = settable | dict.fromkeys(("id", "created_at", "updated_at"), text)
    shown |= {"description": text | {"default": ""}, "status": status | {"default": "pending"}}
    return {
        "Task": {"properties": shown, "required": list(shown)},
        "NewTask": {"properties": settable, "required": ["title", *members]},
        "TaskChanges": {"properties": settable, "required": []},
    }


class _Api:
    """The API over a state file; ``faults`` say which promise it breaks."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(size) or b"{}")
        self.state, self.faults = self.stack.read(), self.stack.faults
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if self.is_barred(method, path, environ.get("HTTP_AUTHORIZATION", "")):
            status, answer = 401, {"error": {"code": "unauthorized"}}
        else:
            status, answer = self.answer(method, path, body)
        if "cached-by-others" in self.faults:
            self.state["cache"].setdefault("all_tasks", json.dumps(self.state["tasks"]))
        self.stack.write(self.state)
        payload = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))]
        if status == 401 and "no-challenge" not in self.faults:
            headers.append(("WWW-Authenticate", "Bearer"))
        start(f"{status} Whatever", headers)
        return [payload]

    def is_barred(self, method: str, path: str, given: str) -> bool:
        if not self.stack.token or given == f"Bearer {self.stack.token}":
            return False
        if path in ("/metrics", "/cache/stats"):
            return f"open-{path[1:].partition('/')[0]}" not in self.faults
        if method != "GET":
            return "open-writes" not in self.faults
        return path.startswith("/tasks") and self.stack.public_reads == (
            "other-reads" in self.faults
        )

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/health":
            sick = {
                fault.removeprefix("sick-") for fault in self.faults if fault.startswith("sick-")
            }
            parts = ("api", "cache", "database")
            states = {part: "unhealthy" if part in sick else "healthy" for part in parts}
            if self.state["redis_refuses"]:
                refused = f"refused: {self.state['redis_refuses']}"
                states |= {"cache": refused, "status": "degraded"}
            return 200, states
        if path in ("/metrics", "/cache/stats"):
            return 200, {}
        if path == "/":
            return 200, {"name": "Tasks API", "version": "1.2.3"}
        if path == "/openapi.json":
            return 200, {"components": {"schemas": described(self.stack.members)}}
        if f"{method.lower()}-500" in self.faults:
            return 500, {"error": {"code": "internal"}}
        if method == "POST":
            return self.create(body)
        if path == "/tasks" and "list-500" in self.faults:
            return 500, {"error": {"code": "internal"}}
        if path == "/tasks":
            source, tasks = self.through_cache("all_tasks", lambda: self.state["tasks"])
            return 200, {"source": source, "count": len(tasks), "tasks": tasks}
        return self.one(method, int(path.rpartition("/")[2]), body)

    def one(self, method: str, number: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = [task for task in self.state["tasks"] if task["id"] == number]
        key = f"task:{number}"
        if not found and not (method == "GET" and key in self.state["cache"]):
            return 404, {"error": {"code": "not_found"}}
        if method == "GET":
            source, task = self.through_cache(key, lambda: found[0])
            if "shows-another" in self.faults:
                task = task | {"title": "Another title"}
            return 200, {"source": source, "task": task}
        if method == "PUT":
            found[0].update(body)
            if "updated-at-stays" not in self.faults:
                found[0]["updated_at"] = now()
            self.invalidate("update", key)
            return 200, {"message": "Task updated successfully", "task": found[0]}
        if "delete-forgets" not in self.faults:
            self.state["tasks"].remove(found[0])
        self.invalidate("delete", key)
        return 200, {"message": "Task deleted successfully", "task": found[0]}

    def create(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.state["last_id"] += 1
        times = {"created_at": (moment := now()), "updated_at": moment}
        defaults = {"description": "", "status": "pending"}
        task = {"id": self.state["last_id"], **defaults, **body, **times}
        if missing := self.stack.members.keys() - task.keys():
            return 422, {"error": {"code": "invalid", "fields": dict.fromkeys(missing, "required")}}
        self.state["tasks"].insert(0, task)
        if "create-forgets" in self.faults:
            self.state["tasks"].pop(0)
        self.invalidate("create", f"task:{task['id']}")
        if "create-mangles" in self.faults:
            task = task | {"title": task["title"].upper()}
        return 201, {"message": "Task created successfully", "task": task}

    def through_cache(self, key: str, load: Callable[[], Any]) -> tuple[str, Any]:
        if key in self.state["cache"]:
            return "cache", json.loads(self.state["cache"][key])
        value = load()
        if "never-caches" not in self.faults and f"never-caches-{key}" not in self.faults:
            self.state["cache"][key] = json.dumps(value)
        return "database", value

    def invalidate(self, write: str, key: str) -> None:
        if f"{write}-keeps-list" not in self.faults:
            self.state["cache"].pop("all_tasks", None)
        if f"{write}-keeps-task" not in self.faults:
            self.state["cache"].pop(key, None)
        if "refills-list" in self.faults:
            self.state["cache"]["all_tasks"] = json.dumps(self.state["tasks"])


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """A server on a free loopback port, with the state of a fresh environment."""
    stack = Stack(folder / "state.json")
    stack.write(fresh_state())
    with make_server("127.0.0.1", 0, _Api(stack), handler_class=_Quiet) as server:
        stack.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield stack
        finally:
            server.shutdown()
            thread.join()
