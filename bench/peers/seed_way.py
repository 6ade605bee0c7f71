"""Peer (a): the seed's literal way, with the packages and calls its README names.

psycopg2 connects for every request, redis-py keeps a dict as JSON text under `all_tasks` for 60 s, `jsonify` answers,
and the seed's log lines are on. Run by gunicorn's default worker (sync), two of them.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import psycopg2
import redis
from flask import Flask, Response, abort, jsonify, request
from psycopg2.extras import RealDictCursor

TTL_SECONDS = 60
STATUSES = ("pending", "in_progress", "completed")
FIELDS = "id, title, description, status, created_at, updated_at"
LIST_KEY = "all_tasks"

logging.basicConfig(level=logging.INFO, format="%(message)s")
app = Flask(__name__)
log = logging.getLogger("seed")
cache = redis.Redis(
    host=os.environ["REDIS_HOST"], port=int(os.environ["REDIS_PORT"]), decode_responses=True
)


def run(statement: str, *parameters: object) -> list[dict[str, Any]]:
    """The rows of one statement on a connection of its own, times as ISO 8601."""
    connection = psycopg2.connect(
        host=os.environ["DB_HOST"],
        port=os.environ["DB_PORT"],
        dbname=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
    )
    try:
        with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(statement, parameters)
            rows = [dict(row) for row in cursor.fetchall()]
    finally:
        connection.close()
    for row in rows:
        row["created_at"] = row["created_at"].isoformat()
        row["updated_at"] = row["updated_at"].isoformat()
    return rows


def cached(key: str) -> Any:
    """What is kept under `key`, or None."""
    text = cache.get(key)
    if text is None:
        log.info("Cache MISS - Consultando banco de dados")
        return None
    log.info("Cache HIT - Retornando dados do Redis")
    log.info("Cache GET - Key: %s - FOUND", key)
    return json.loads(text)


def keep(key: str, value: Any) -> None:
    """Keep `value` for the TTL."""
    cache.setex(key, TTL_SECONDS, json.dumps(value))
    log.info("Cache SET - Key: %s - Expiration: %ss", key, TTL_SECONDS)


def fields(required: tuple[str, ...] = ()) -> dict[str, str]:
    """The fields a client sent, or 422."""
    data = request.get_json()
    if not isinstance(data, dict) or not data or set(data) - {"title", "description", "status"}:
        abort(422)
    if any(name not in data for name in required):
        abort(422)
    if any(not isinstance(value, str) for value in data.values()):
        abort(422)
    if not 0 < len(data.get("title", "-").strip()) <= 255:
        abort(422)
    if data.get("status", "pending") not in STATUSES:
        abort(422)
    return data


@app.get("/health")
def health() -> Response:
    run(f"SELECT {FIELDS} FROM tasks LIMIT 0")
    cache.ping()
    return jsonify(api="healthy", cache="healthy", database="healthy")


@app.get("/tasks")
def list_tasks() -> Response:
    tasks, source = cached(LIST_KEY), "cache"
    if tasks is None:
        tasks, source = run(f"SELECT {FIELDS} FROM tasks ORDER BY created_at DESC"), "database"
        keep(LIST_KEY, tasks)
    return jsonify(source=source, count=len(tasks), tasks=tasks)


@app.get("/tasks/<int:task_id>")
def get_task(task_id: int) -> Response:
    task, source = cached(f"task:{task_id}"), "cache"
    if task is None:
        rows = run(f"SELECT {FIELDS} FROM tasks WHERE id = %s", task_id)
        if not rows:
            abort(404)
        task, source = rows[0], "database"
        keep(f"task:{task_id}", task)
    return jsonify(source=source, task=task)


@app.post("/tasks")
def create_task() -> tuple[Response, int]:
    data = fields(required=("title",))
    rows = run(
        f"INSERT INTO tasks (title, description, status) VALUES (%s, %s, %s) RETURNING {FIELDS}",
        data["title"],
        data.get("description", ""),
        data.get("status", "pending"),
    )
    cache.delete(LIST_KEY)
    return jsonify(message="Task created successfully", task=rows[0]), 201


@app.put("/tasks/<int:task_id>")
def update_task(task_id: int) -> Response:
    data = fields()
    places = ", ".join(f"{name} = %s" for name in data)
    rows = run(
        f"UPDATE tasks SET {places}, updated_at = now() AT TIME ZONE 'UTC' WHERE id = %s RETURNING {FIELDS}",
        *data.values(),
        task_id,
    )
    return changed("updated", task_id, rows)


@app.delete("/tasks/<int:task_id>")
def delete_task(task_id: int) -> Response:
    return changed(
        "deleted", task_id, run(f"DELETE FROM tasks WHERE id = %s RETURNING {FIELDS}", task_id)
    )


def changed(what: str, task_id: int, rows: list[dict[str, Any]]) -> Response:
    if not rows:
        abort(404)
    cache.delete(LIST_KEY, f"task:{task_id}")
    return jsonify(message=f"Task {what} successfully", task=rows[0])
