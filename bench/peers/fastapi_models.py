"""Peer (c): FastAPI with SQLModel, async throughout, as FastAPI's "SQL (Relational) Databases" tutorial advises.

One model per use (base, table, create, update, public), a session by `Depends`, response models, `redis.asyncio`, and
SQLAlchemy's advice for asyncio (`expire_on_commit=False`) over asyncpg. uvicorn with uvloop and httptools, two workers,
no access log.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated

import redis.asyncio
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, NaiveDatetime, TypeAdapter
from sqlalchemy import URL, String
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

TTL_SECONDS = 60
LIST_KEY = "all_tasks"

engine = create_async_engine(
    URL.create(
        "postgresql+asyncpg",
        os.environ["DB_USER"],
        os.environ["DB_PASSWORD"],
        os.environ["DB_HOST"],
        int(os.environ["DB_PORT"]),
        os.environ["DB_NAME"],
    )
)
new_session = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
cache = redis.asyncio.Redis(host=os.environ["REDIS_HOST"], port=int(os.environ["REDIS_PORT"]))


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class Status(str, Enum):  # noqa: UP042  # as FastAPI's tutorial spells it
    pending = "pending"
    in_progress = "in_progress"
    completed = "completed"


class TaskBase(SQLModel):
    title: str = Field(min_length=1, max_length=255)
    description: str = ""
    status: Status = Field(default=Status.pending, sa_type=String(20))


class Task(TaskBase, table=True):
    __tablename__ = "tasks"

    id: int | None = Field(default=None, primary_key=True)
    created_at: NaiveDatetime = Field(default_factory=now)
    updated_at: NaiveDatetime = Field(default_factory=now)


class TaskCreate(TaskBase):
    model_config = ConfigDict(extra="forbid")


class TaskUpdate(SQLModel):
    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, min_length=1, max_length=255)
    description: str | None = None
    status: Status | None = None


class TaskPublic(TaskBase):
    id: int
    created_at: NaiveDatetime
    updated_at: NaiveDatetime


class TaskList(BaseModel):
    source: str
    count: int
    tasks: list[TaskPublic]


class OneTask(BaseModel):
    source: str
    task: TaskPublic


class Changed(BaseModel):
    message: str
    task: TaskPublic


TASKS = TypeAdapter(list[TaskPublic])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await cache.aclose()
    await engine.dispose()


async def session() -> AsyncIterator[AsyncSession]:
    async with new_session() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]
app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health(session: Session) -> dict[str, str]:
    await session.exec(select(Task.id).limit(1))
    await cache.ping()
    return {"api": "healthy", "cache": "healthy", "database": "healthy"}


@app.get("/tasks")
async def list_tasks(session: Session) -> TaskList:
    kept = await cache.get(LIST_KEY)
    if kept is not None:
        tasks = TASKS.validate_json(kept)
        return TaskList(source="cache", count=len(tasks), tasks=tasks)
    rows = await session.exec(select(Task).order_by(col(Task.created_at).desc()))
    tasks = [TaskPublic.model_validate(row) for row in rows]
    await cache.set(LIST_KEY, TASKS.dump_json(tasks), ex=TTL_SECONDS)
    return TaskList(source="database", count=len(tasks), tasks=tasks)


@app.get("/tasks/{task_id}")
async def get_task(task_id: int, session: Session) -> OneTask:
    kept = await cache.get(f"task:{task_id}")
    if kept is not None:
        return OneTask(source="cache", task=TaskPublic.model_validate_json(kept))
    task = TaskPublic.model_validate(await found(session, task_id))
    await cache.set(f"task:{task_id}", task.model_dump_json(), ex=TTL_SECONDS)
    return OneTask(source="database", task=task)


@app.post("/tasks", status_code=201)
async def create_task(new: TaskCreate, session: Session) -> Changed:
    task = Task.model_validate(new)
    session.add(task)
    await session.commit()
    await cache.delete(LIST_KEY)
    return Changed(message="Task created successfully", task=TaskPublic.model_validate(task))


@app.put("/tasks/{task_id}")
async def update_task(task_id: int, update: TaskUpdate, session: Session) -> Changed:
    changes = update.model_dump(exclude_unset=True, exclude_none=True)
    if not changes:
        raise HTTPException(422, "Give at least one field.")
    task = await found(session, task_id)
    task.sqlmodel_update(changes | {"updated_at": now()})
    session.add(task)
    await session.commit()
    await cache.delete(LIST_KEY, f"task:{task_id}")
    return Changed(message="Task updated successfully", task=TaskPublic.model_validate(task))


@app.delete("/tasks/{task_id}")
async def delete_task(task_id: int, session: Session) -> Changed:
    task = await found(session, task_id)
    answer = TaskPublic.model_validate(task)
    await session.delete(task)
    await session.commit()
    await cache.delete(LIST_KEY, f"task:{task_id}")
    return Changed(message="Task deleted successfully", task=answer)


async def found(session: AsyncSession, task_id: int) -> Task:
    task = await session.get(Task, task_id)
    if task is None:
        raise HTTPException(404, "There is no task with this id.")
    return task
