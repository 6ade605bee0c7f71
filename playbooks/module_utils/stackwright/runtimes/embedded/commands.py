"""How an embedded environment is asked: argument lists for verification, logs, states and explanations.

The same functions as for Compose, see ``compose_commands``. No password is in an argument or an environment.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...environment import Environment
from ...secrets.tokens import token_file
from .database import connection, psql
from .folder import OWN_LOG, Folder, size_of
from .programs import HOST, SYSTEM_PATH, load_program

LOG_LINES = "50"
# The last lines of a file as far as they are beyond a size; of all of it where it was rotated meanwhile.
TAIL = """
[ -f "$0" ] || exit 0
[ "$(wc -c <"$0")" -ge "$1" ] && from=$(($1 + 1)) || from=1
tail -c "+$from" "$0" | tail -n "$2"
"""
# What redis-cli prints where its output is no terminal. Not by redis-py: its import takes 0.1 s, at every command.
REDIS_CLI = """
import os, socket, sys
from hiredis import Reader, pack_command

host, port, user = sys.argv[1:4]

def lines(reply):
    if isinstance(reply, list):
        return [line for item in reply for line in lines(item)] or [b""]
    return [reply if isinstance(reply, bytes) else str("" if reply is None else reply).encode()]

def ask(*command):
    connection.sendall(pack_command(command))
    while (reply := reader.gets()) is False:
        reader.feed(connection.recv(65536) or sys.exit("Redis closed the connection"))
    return lines(reply)

try:
    connection, reader = socket.create_connection((host, int(port)), 5), Reader()
    said = ask("AUTH", user, sys.stdin.buffer.readline().removesuffix(b"\\n")) if user else [b"OK"]
    if said == [b"OK"]:
        said = ask(*map(os.fsencode, sys.argv[4:]))
except OSError as error:
    sys.exit(f"Could not connect to Redis at {host}:{port}: {error}")
sys.stdout.buffer.write(b"\\n".join(said) + b"\\n")
"""


def folder_of(output_dir: str) -> Folder:
    """The embedded runtime's folder of an environment."""
    return Folder(Path(output_dir) / "embedded")


def evidence_commands(
    output_dir: str, services: Sequence[str], since: float = 0.0
) -> dict[str, list[str]]:
    """What tells why something failed: states, then the last log lines of each program and of supervisord.

    With ``since``, those that are written from now on: lines of programs need not have a time.
    """
    folder = folder_of(output_dir)
    control = [sys.executable, "-I", "-m", "supervisor.supervisorctl", "-c", str(folder.config)]
    tails = {
        f"log of {name}": ["sh", "-c", TAIL, str(log), str(size_of(log) if since else 0), LOG_LINES]
        for name in (*services, OWN_LOG)
        for log in (folder.log(name),)
    }
    return {"states": [*control, "status"]} | tails


def sql(output_dir: str) -> tuple[list[str], dict[str, str]]:
    """Argument list of psql, to which a statement is appended, and its environment. Raises EmbeddedError."""
    folder = folder_of(output_dir)
    program = load_program(folder, "banco-dados")
    return [psql(), "-w", "-X", "-A", "-t", "-q", "-c"], connection(folder, program)


def redis(output_dir: str) -> list[str]:
    """Argument list of redis-cli, to which a command is appended. Raises EmbeddedError."""
    program = load_program(folder_of(output_dir), "cache-redis")
    user = program.login.get("user", "")
    place = (HOST, str(program.port))
    if found := shutil.which("redis-cli", path=SYSTEM_PATH):
        words = [found, "-h", place[0], "-p", place[1]]
        words += ["--user", user, "--askpass"] if user else []
    else:
        words = [sys.executable, "-I", "-c", REDIS_CLI, *place, user]
    return (
        ["sh", "-c", 'exec "$@" <"$0"', program.login["password_file"], *words] if user else words
    )


def access(environment: Environment, settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the environment is reached, in the terms of the module verify_environment. Raises EmbeddedError.

    PostgreSQL and Redis listen on 127.0.0.1 by design, so no port of 127.0.0.1 has to be closed; from outside all are.
    """
    output_dir, names = environment.output, environment.roles
    psql, variables = sql(output_dir)
    psql = ["env", *(f"{name}={value}" for name, value in variables.items()), *psql]
    redis_cli = redis(output_dir)
    versions = {
        "api": [],
        "database": [*psql, "show server_version"],
        "cache": [*redis_cli, "INFO", "server"],
    }
    folder = f"{output_dir}/secrets/embedded/{names.get('api', '')}"
    return {
        "url": environment.url,
        "sql": psql,
        "redis": redis_cli,
        "versions": {names[role]: words for role, words in versions.items() if role in names},
        "closed_ports": environment.closed_ports,
        "published": environment.published,
        "addresses": [],
        "token_file": token_file(settings["api_tokens"], folder),
    }
