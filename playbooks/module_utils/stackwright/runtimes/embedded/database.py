"""Reach the embedded PostgreSQL without a password in an argument or an environment, and keep its schema current."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .binaries import SYSTEM_PATH, postgres_tools
from .errors import ProgramError
from .folder import Folder
from .probes import HOST
from .program import Program

APPLIED = "migrate: applied "
_WAIT_SECONDS = 10
_FIRST_OWN_OID = 16384  # FirstNormalObjectId of PostgreSQL; initdb's own databases are below


def password_line(program: Program) -> str:
    """The line of libpq's password file ("The Password File" in its manual: colons and backslashes are escaped)."""
    fields = [
        HOST,
        str(program.port),
        "*",
        program.database["POSTGRES_USER"],
        program.database_password,
    ]
    return ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields) + "\n"


def write_password_file(folder: Folder, program: Program) -> None:
    """Put the password where ``PGPASSFILE`` finds it, for our own user only."""
    line = password_line(program).encode()
    path = folder.password_file
    if path.exists() and path.read_bytes() == line:
        return
    temporary = path.with_suffix(".next")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(line)
    temporary.replace(path)


def connection(folder: Folder, program: Program) -> dict[str, str]:
    """Environment variables with which libpq's programs reach the database."""
    return {
        "PGHOST": HOST,
        "PGPORT": str(program.port),
        "PGUSER": program.database["POSTGRES_USER"],
        "PGDATABASE": program.database["POSTGRES_DB"],
        "PGPASSFILE": str(folder.password_file),
        "PGCONNECT_TIMEOUT": "5",
    }


def migrate(folder: Folder, program: Program) -> list[str]:
    """Bring schema, roles and their passwords up to date.

    Returns what was done to it: the migrations applied now, and ``roles`` if they had other settings. Raises
    ProgramError with the cause.
    """
    _create(folder, program)
    said = _run(folder, program, "migrate")
    done = [line.removeprefix(APPLIED) for line in said.splitlines() if line.startswith(APPLIED)]
    return [*done, "roles"] if _run(folder, program, "roles") else done


def keeps_owner_out(folder: Folder, program: Program) -> bool:
    """Whether the running server does not know the owner's password, so that only a restart can set it."""
    done = subprocess.run(
        [str(postgres_tools() / "psql"), "-Xqw", "--command=SELECT"],
        env=connection(folder, program) | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return "password authentication failed" in done.stderr


def _create(folder: Folder, program: Program) -> None:
    """Create the database in a cluster that has none yet, so that nobody asks for what is missing.

    What is in the way, the migrations will say.
    """
    databases = Path(program.database["PGDATA"], "base").iterdir()
    if any(int(one.name) >= _FIRST_OWN_OID for one in databases if one.name.isdigit()):
        return
    statement = (
        "SELECT format('CREATE DATABASE %I', :'name') "
        "WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec\n"
    )
    name = program.database["POSTGRES_DB"]
    subprocess.run(
        [str(postgres_tools() / "psql"), "-Xqw", f"--set=name={name}"],
        env=connection(folder, program) | {"PGDATABASE": "postgres"},
        input=statement,
        capture_output=True,
        text=True,
        check=False,
    )


def _run(folder: Folder, program: Program, name: str) -> str:
    """Run a script of the database image here. Returns what it said."""
    environment = {
        "PATH": f"{postgres_tools()}:{SYSTEM_PATH}",
        "LANG": "C.UTF-8",
        "MIGRATE_WAIT_SECONDS": str(_WAIT_SECONDS),
        **connection(folder, program),
        **(program.database if name == "roles" else {}),
    }
    done = subprocess.run(
        ["/bin/sh", Path(program.project, "app", "database", name)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr or done.stdout).strip()
    raise ProgramError(f"{program.name}: schema or roles are not current: {said}")
