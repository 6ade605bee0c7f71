"""Peer (b): Flask with its two usual extensions, as the Flask-SQLAlchemy quick start and Flask-Caching's page advise.

A declarative model and `db.session`, `cache.get` and `cache.set` of Flask-Caching's RedisCache ("explicitly caching
data", since a cached view could not say its source). gunicorn gthread, two workers of four threads; no log lines.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from flask_caching import Cache
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STATUSES = ("pending", "in_progress", "completed")
LIST_KEY = "all_tasks"


class Base(DeclarativeBase):
    pass


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


db = SQLAlchemy(model_class=Base)
cache = Cache()


class Task(db.Model):
    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(String(20), default="pending")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "status": self.status,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = URL.create(
        "postgresql+psycopg2",
        os.environ["DB_USER"],
        os.environ["DB_PASSWORD"],
        os.environ["DB_HOST"],
        int(os.environ["DB_PORT"]),
        os.environ["DB_NAME"],
    )
    app.config["CACHE_TYPE"] = "RedisCache"
    app.config["CACHE_REDIS_HOST"] = os.environ["REDIS_HOST"]
    app.config["CACHE_REDIS_PORT"] = int(os.environ["REDIS_PORT"])
    app.config["CACHE_DEFAULT_TIMEOUT"] = 60
    db.init_app(app)
    cache.init_app(app)
    return app


app = create_app()


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


def forget(task_id: int) -> None:
    # Not `delete_many`: Flask-Caching looks whether each key is there, and fails if another request deletes it meanwhile.
    cache.delete(LIST_KEY)
    cache.delete(f"task:{task_id}")


@app.get("/health")
def health() -> Response:
    db.session.execute(db.select(Task.id).limit(1))
    return jsonify(api="healthy", cache="healthy", database="healthy")


@app.get("/tasks")
def list_tasks() -> Response:
    tasks, source = cache.get(LIST_KEY), "cache"
    if tasks is None:
        newest = db.select(Task).order_by(Task.created_at.desc())
        tasks, source = (
            [task.to_dict() for task in db.session.execute(newest).scalars()],
            "database",
        )
        cache.set(LIST_KEY, tasks)
    return jsonify(source=source, count=len(tasks), tasks=tasks)


@app.get("/tasks/<int:task_id>")
def get_task(task_id: int) -> Response:
    task, source = cache.get(f"task:{task_id}"), "cache"
    if task is None:
        task, source = db.get_or_404(Task, task_id).to_dict(), "database"
        cache.set(f"task:{task_id}", task)
    return jsonify(source=source, task=task)


@app.post("/tasks")
def create_task() -> tuple[Response, int]:
    task = Task(**fields(required=("title",)))
    db.session.add(task)
    db.session.commit()
    cache.delete(LIST_KEY)
    return jsonify(message="Task created successfully", task=task.to_dict()), 201


@app.put("/tasks/<int:task_id>")
def update_task(task_id: int) -> Response:
    data = fields()
    task = db.get_or_404(Task, task_id)
    for name, value in data.items():
        setattr(task, name, value)
    task.updated_at = now()
    db.session.commit()
    forget(task_id)
    return jsonify(message="Task updated successfully", task=task.to_dict())


@app.delete("/tasks/<int:task_id>")
def delete_task(task_id: int) -> Response:
    task = db.get_or_404(Task, task_id)
    answer = task.to_dict()
    db.session.delete(task)
    db.session.commit()
    forget(task_id)
    return jsonify(message="Task deleted successfully", task=answer)
