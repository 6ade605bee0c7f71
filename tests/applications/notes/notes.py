"""Notes in PostgreSQL and how often each was read in Redis: a small application that an environment runs as its own."""

import os
from pathlib import Path

import psycopg2
import redis
from flask import Flask, Response, jsonify, request
from granian import Granian
from granian.constants import Interfaces

TABLE = "CREATE TABLE IF NOT EXISTS notes (name text PRIMARY KEY, text text NOT NULL)"
WRITE = "INSERT INTO notes VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET text = excluded.text"
app = Flask(__name__)
given = os.environ.get


def password(variable: str) -> str | None:
    """The value of a variable, or what the file in ``<variable>_FILE`` holds."""
    file = given(f"{variable}_FILE")
    return Path(file).read_text(encoding="utf-8") if file else given(variable)


def sql(statement: str, *values: str) -> list[tuple[str, ...]]:
    """The rows that a statement gives."""
    connection = psycopg2.connect(
        host=given("DB_HOST"),
        port=given("DB_PORT"),
        dbname=given("DB_NAME"),
        user=given("DB_USER"),
        password=password("DB_PASSWORD"),
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


reads = redis.Redis(
    host=given("REDIS_HOST", "localhost"),
    port=int(given("REDIS_PORT", "6379")),
    username=given("REDIS_USER"),
    password=password("REDIS_PASSWORD"),
)


@app.get("/ready")
def ready() -> Response:
    """Whether notes can be read and written."""
    sql("SELECT FROM notes LIMIT 0")
    return jsonify(ready=reads.ping())


@app.route("/notes/<name>", methods=["GET", "PUT", "DELETE"])
def note(name: str) -> tuple[Response, int]:
    """Show a note with how often it was shown, keep one, or remove it."""
    if request.method == "GET":
        for (text,) in sql("SELECT text FROM notes WHERE name = %s", name):
            return jsonify(name=name, text=text, reads=reads.incr(f"reads:{name}")), 200
        return jsonify(error="no such note"), 404
    reads.delete(f"reads:{name}")
    if request.method == "DELETE":
        sql("DELETE FROM notes WHERE name = %s", name)
        return Response(), 204
    text = request.get_json()["text"]
    sql(WRITE, name, text)
    return jsonify(name=name, text=text), 201


if __name__ == "__main__":
    sql(TABLE)
    address, port = given("API_HOST", "0.0.0.0"), int(given("API_PORT", "5000"))
    kind = Interfaces.WSGI
    Granian("notes:app", address, port, interface=kind, blocking_threads=4).serve()
