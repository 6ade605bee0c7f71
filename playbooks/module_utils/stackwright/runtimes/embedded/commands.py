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
from .binaries import SYSTEM_PATH, postgres_tools
from .database import connection
from .folder import Folder
from .logs import size_of
from .probes import HOST
from .program import load_program

LOG_LINES = "50"
# The last lines of a file as far as they are beyond a size; of all of it where it was rotated meanwhile.
TAIL = """
[ -f "$0" ] || exit 0
[ "$(wc -c <"$0")" -ge "$1" ] && from=$(($1 + 1)) || from=1
tail -c "+$from" "$0" | tail -n "$2"
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
        for name in (*services, "supervisord")
        for log in (folder.log(name),)
    }
    return {"states": [*control, "status"]} | tails


def sql(output_dir: str) -> tuple[list[str], dict[str, str]]:
    """Argument list of psql, to which a statement is appended, and its environment. Raises EmbeddedError."""
    folder = folder_of(output_dir)
    program = load_program(folder, "banco-dados")
    return [str(postgres_tools() / "psql"), "-w", "-X", "-A", "-t", "-q", "-c"], connection(
        folder, program
    )


def redis(output_dir: str) -> list[str]:
    """Argument list of redis-cli, to which a command is appended. Raises EmbeddedError."""
    program = load_program(folder_of(output_dir), "cache-redis")
    found = shutil.which("redis-cli", path=SYSTEM_PATH)
    script = Path(
        program.project, "playbooks/module_utils/stackwright/runtimes/embedded/redis_cli.py"
    )
    client = [found] if found else [sys.executable, "-I", str(script)]
    words = [*client, "-h", HOST, "-p", str(program.port)]
    if not program.login:
        return words
    words += ["--user", program.login["user"], "--askpass"]
    return ["sh", "-c", 'exec "$@" <"$0"', program.login["password_file"], *words]


def access(environment: Environment, settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the environment is reached, in the terms of the module verify_environment. Raises EmbeddedError.

    PostgreSQL and Redis listen on 127.0.0.1 by design, so no port of 127.0.0.1 has to be closed; from outside all are.
    """
    output_dir, names = environment.output, environment.roles
    psql, variables = sql(output_dir)
    # Ansible masks the values of sql_environment wherever they appear, and these are no secrets.
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
        "sql_environment": {},
        "redis": redis_cli,
        "versions": {names[role]: words for role, words in versions.items() if role in names},
        "closed_ports": environment.closed_ports,
        "published": environment.published,
        "addresses": [],
        "token_file": token_file(settings["api_tokens"], folder),
    }
