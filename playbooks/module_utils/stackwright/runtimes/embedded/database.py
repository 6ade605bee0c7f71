"""The embedded PostgreSQL: its data folder, ready for a start, and its schema and roles, kept current.

No password is in an argument, in an environment of ours or in a log.
"""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from .folder import EmbeddedError, Folder, ProgramError
from .processes import works_in
from .programs import HOST, SYSTEM_PATH, Program, postgres_tools

MAJOR_VERSION = "16"
LOCK = "postmaster.pid"
APPLIED = "migrate: applied "
_WAIT_SECONDS = 10
_FIRST_OWN_OID = 16384  # FirstNormalObjectId of PostgreSQL; initdb's own databases are below


def prepare_cluster(
    program: Program, shown: Path, tools: Path, uid: int | None, prefix: Sequence[str]
) -> None:
    """Make the data folder ready for a start. Raises EmbeddedError with what is in the way.

    ``shown`` is where people find it, a link if it is elsewhere. ``tools`` has initdb and postgres. ``uid`` runs the
    server (None: we do), and ``prefix`` are the words that make a command run so.
    """
    data = Path(program.database["PGDATA"])
    if data != shown:
        _move(shown, data)
    if not data.exists() or not any(data.iterdir()):
        _create_cluster(program, data, tools, uid, prefix)
        return
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise EmbeddedError(
            f"{data} is no data folder of PostgreSQL: PG_VERSION: {error.strerror}"
        ) from None
    if version != MAJOR_VERSION:
        raise EmbeddedError(
            f"{data} was written by PostgreSQL {version}, this is {MAJOR_VERSION}; dump and restore"
        )
    if not any(works_in(pid, data) for pid in psutil.pids()):
        _take_over(data, uid)
        # After a power cut the number in it may by now be another process's, and the server would not start.
        (data / LOCK).unlink(missing_ok=True)
        _set_owner_password(program, data, tools, prefix)


def _move(shown: Path, data: Path) -> None:
    """Keep the data in ``data``, taking there what is in ``shown``, which becomes a link to it."""
    if shown.is_symlink() and shown.readlink() != data:
        raise EmbeddedError(
            f"{shown} leads to the data of another checkout, {shown.readlink()}: move them to {data} if they are this "
            "environment's, then remove the link"
        )
    if shown.is_dir() and not shown.is_symlink():
        if data.exists():
            raise EmbeddedError(f"there are data in {shown} and in {data}: remove those not wanted")
        shutil.move(shown, data)
    if not shown.is_symlink():
        shown.symlink_to(data)


def _create_cluster(
    program: Program, data: Path, tools: Path, uid: int | None, prefix: Sequence[str]
) -> None:
    """Run initdb beside the final place, then rename: an interrupted one leaves nothing that looks finished."""
    unfinished = data.with_name(f"{data.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    # A pipe: the password is in no argument and in no file. As a file it belongs to its creator, who may be root.
    reader, writer = os.pipe()
    if uid is not None:
        os.chown(unfinished, uid, -1)
        os.fchown(reader, uid, -1)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        stream.write(program.database_password + "\n")
    command = [
        *prefix,
        str(tools / "initdb"),
        f"--pgdata={unfinished}",
        f"--username={program.database['POSTGRES_USER']}",
        "--pwfile=/dev/stdin",
        "--auth=scram-sha-256",
        "--data-checksums",
        "--encoding=UTF8",
        "--locale=C",
        f"--lc-ctype={_letters()}",
        "--no-instructions",
    ]
    with os.fdopen(reader) as password:
        done = subprocess.run(command, stdin=password, check=False)
    if done.returncode != 0:
        raise EmbeddedError("initdb failed, see above")
    if data.exists():
        data.rmdir()
    unfinished.rename(data)
    # The rename is on disk for good then; initdb has done so with the files.
    parent = os.open(data.parent, os.O_RDONLY)
    os.fsync(parent)
    os.close(parent)


def _letters() -> str:
    """C.UTF-8, where the system's C library knows letters beyond ASCII without a language."""
    try:
        return locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"


def _take_over(data: Path, uid: int | None) -> None:
    """Give the data to the user who runs the server now."""
    owner, wanted = data.stat().st_uid, os.geteuid() if uid is None else uid
    if owner == wanted:
        return
    if uid is None:
        reason = f"belongs to user {owner}, and PostgreSQL only serves its own files; work as root or as that user"
        raise EmbeddedError(f"{data} {reason}")
    for folder, _, files in os.walk(data):
        for path in (folder, *(os.path.join(folder, file) for file in files)):
            os.chown(path, wanted, -1, follow_symlinks=False)


def _set_owner_password(program: Program, data: Path, tools: Path, prefix: Sequence[str]) -> None:
    """Give the database's owner the current password: without a server, which would ask for the previous one.

    The statement goes through a pipe, and no failure of it is logged with its text.
    """
    password = program.database_password.replace("'", "''")
    statement = f"ALTER ROLE \"{program.database['POSTGRES_USER']}\" PASSWORD '{password}'\n"
    options = ("-c", "log_min_error_statement=panic", "-c", "log_checkpoints=off", "postgres")
    command = [*prefix, str(tools / "postgres"), "--single", "-D", str(data), *options]
    done = subprocess.run(command, input=statement.encode(), capture_output=True, check=False)
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0 or "ERROR:" in said:
        causes = [line for line in said.splitlines() if "ERROR:" in line or "FATAL:" in line]
        reason = (causes or [said.strip()])[0].partition("  ")[2] or said.strip()
        if "does not exist" in reason:
            reason += f"; {data} keeps the db_user it was first started with, so set it back"
        raise EmbeddedError(f"the password of the database's owner cannot be set: {reason}")


def password_line(program: Program) -> str:
    """The line of libpq's password file ("The Password File" in its manual: colons and backslashes are escaped)."""
    owner = (program.database["POSTGRES_USER"], program.database_password)
    fields = (HOST, str(program.port), "*", *owner)
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


def psql() -> str:
    """Path of psql. Raises EmbeddedError."""
    return str(postgres_tools() / "psql")


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
    _create_database(folder, program)
    said = _script(folder, program, "migrate")
    done = [line.removeprefix(APPLIED) for line in said.splitlines() if line.startswith(APPLIED)]
    return [*done, "roles"] if _script(folder, program, "roles") else done


def keeps_owner_out(folder: Folder, program: Program) -> bool:
    """Whether the running server does not know the owner's password, so that only a restart can set it."""
    done = _client(folder, program, [psql(), "-Xqw", "--command=SELECT"], {"LC_ALL": "C"})
    return "password authentication failed" in done.stderr


def _create_database(folder: Folder, program: Program) -> None:
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
    command = [psql(), "-Xqw", f"--set=name={program.database['POSTGRES_DB']}"]
    _client(folder, program, command, {"PGDATABASE": "postgres"}, statement)


def _script(folder: Folder, program: Program, name: str) -> str:
    """Run a script of the database image here. Returns what it said."""
    environment = {
        "PATH": f"{postgres_tools()}:{SYSTEM_PATH}",
        "LANG": "C.UTF-8",
        "MIGRATE_WAIT_SECONDS": str(_WAIT_SECONDS),
        **(program.database if name == "roles" else {}),
    }
    script = ["/bin/sh", str(Path(program.project, "app", "database", name))]
    done = _client(folder, program, script, environment)
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr or done.stdout).strip()
    raise ProgramError(f"{program.name}: schema or roles are not current: {said}")


def _client(
    folder: Folder,
    program: Program,
    words: Sequence[str],
    environment: Mapping[str, str],
    statement: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a client of the database with these variables and no others."""
    return subprocess.run(
        words,
        env={**connection(folder, program), **environment},
        input=statement,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
