"""Peer (d): FastAPI with raw asyncpg and redis.asyncio, the fastest a user would write.

PostgreSQL makes the JSON, Redis keeps the end of the answer, and both are spliced into it as bytes, never parsed;
bodies are checked by pydantic. asyncpg's own pool, without the statements that reset a connection after each use: its
documentation has a parameter for that, nothing here changes a session, and it saves about 15 % of the
processor time of a miss. uvicorn with uvloop
and httptools, two workers, no access log.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import asyncpg
import redis.asyncio
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

TTL_SECONDS = 60
LIST_KEY = "all_tasks"
FIELDS = "id, title, description, status, created_at, updated_at"
LIST = f"""
    SELECT '"count":' || count(*) || ',"tasks":'
        || coalesce(json_agg(t ORDER BY created_at DESC)::text, '[]') || '}}'
    FROM (SELECT {FIELDS} FROM tasks) t"""
ITEM = f"""SELECT '"task":' || row_to_json(t)::text || '}}'
    FROM (SELECT {FIELDS} FROM tasks WHERE id = $1) t"""
CHANGE = f"WITH t AS ({{}} RETURNING {FIELDS}) SELECT row_to_json(t)::text FROM t"
INSERT = CHANGE.format("INSERT INTO tasks (title, description, status) VALUES ($1, $2, $3)")
UPDATE = CHANGE.format("""
    UPDATE tasks SET title = coalesce($2, title), description = coalesce($3, description),
        status = coalesce($4, status), updated_at = now() AT TIME ZONE 'UTC'
    WHERE id = $1""")
DELETE = CHANGE.format("DELETE FROM tasks WHERE id = $1")

Title = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Status = Literal["pending", "in_progress", "completed"]


class NewTask(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Title
    description: str = ""
    status: Status = "pending"


class Update(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    description: str | None = None
    status: Status | None = None


pool: asyncpg.Pool
cache = redis.asyncio.Redis(host=os.environ["REDIS_HOST"], port=int(os.environ["REDIS_PORT"]))


async def leave_as_it_is(connection: asyncpg.Connection) -> None:
    """What the pool does with a connection that is given back."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    global pool
    async with asyncpg.create_pool(
        host=os.environ["DB_HOST"],
        port=int(os.environ["DB_PORT"]),
        database=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        reset=leave_as_it_is,
    ) as pool:
        yield
    await cache.aclose()


app = FastAPI(lifespan=lifespan)


def answer(source: bytes, rest: bytes) -> Response:
    return Response(b'{"source":"%b",%b' % (source, rest), media_type="application/json")


def changed(what: str, task: str | None, status: int = 200) -> Response:
    if task is None:
        raise HTTPException(404, "There is no task with this id.")
    body = f'{{"message":"Task {what} successfully","task":{task}}}'
    return Response(body, status, media_type="application/json")


@app.get("/health")
async def health() -> dict[str, str]:
    await pool.fetchval("SELECT 1 FROM tasks LIMIT 1")
    await cache.ping()
    return {"api": "healthy", "cache": "healthy", "database": "healthy"}


@app.get("/tasks")
async def list_tasks() -> Response:
    kept = await cache.get(LIST_KEY)
    if kept is not None:
        return answer(b"cache", kept)
    rest = (await pool.fetchval(LIST)).encode()
    await cache.set(LIST_KEY, rest, ex=TTL_SECONDS)
    return answer(b"database", rest)


@app.get("/tasks/{task_id}")
async def get_task(task_id: int) -> Response:
    kept = await cache.get(f"task:{task_id}")
    if kept is not None:
        return answer(b"cache", kept)
    found = await pool.fetchval(ITEM, task_id)
    if found is None:
        raise HTTPException(404, "There is no task with this id.")
    rest = found.encode()
    await cache.set(f"task:{task_id}", rest, ex=TTL_SECONDS)
    return answer(b"database", rest)


@app.post("/tasks")
async def create_task(new: NewTask) -> Response:
    task = await pool.fetchval(INSERT, new.title, new.description, new.status)
    await cache.delete(LIST_KEY)
    return changed("created", task, 201)


@app.put("/tasks/{task_id}")
async def update_task(task_id: int, update: Update) -> Response:
    if not update.model_fields_set:
        raise HTTPException(422, "Give at least one field.")
    task = await pool.fetchval(UPDATE, task_id, update.title, update.description, update.status)
    await cache.delete(LIST_KEY, f"task:{task_id}")
    return changed("updated", task)


@app.delete("/tasks/{task_id}")
async def delete_task(task_id: int) -> Response:
    task = await pool.fetchval(DELETE, task_id)
    await cache.delete(LIST_KEY, f"task:{task_id}")
    return changed("deleted", task)
