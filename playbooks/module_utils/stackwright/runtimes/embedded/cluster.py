"""PostgreSQL's data folder: created once and durably, owned by who runs it, free of a dead server's lock."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import EmbeddedError
from .processes import process_ids, works_in
from .program import Program

MAJOR_VERSION = "16"
LOCK = "postmaster.pid"


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
        _create(program, data, tools, uid, prefix)
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
    if not any(works_in(pid, data) for pid in process_ids()):
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


def _create(
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
        "--lc-ctype=C.UTF-8" if _has_c_utf8() else "--lc-ctype=C",
        "--no-instructions",
    ]
    try:
        done = subprocess.run(command, stdin=reader, check=False)
    finally:
        os.close(reader)
    if done.returncode != 0:
        raise EmbeddedError("initdb failed, see above")
    if data.exists():
        data.rmdir()
    unfinished.rename(data)
    _sync(data.parent)


def _set_owner_password(program: Program, data: Path, tools: Path, prefix: Sequence[str]) -> None:
    """Let the owner in with the password of now: without a server, for that would ask for the one of before.

    The statement goes through a pipe, and no failure of it is logged with its text.
    """
    password = program.database_password.replace("'", "''")
    statement = f"ALTER ROLE \"{program.database['POSTGRES_USER']}\" PASSWORD '{password}'\n"
    options = ("-c", "log_min_error_statement=panic", "-c", "log_checkpoints=off")
    done = subprocess.run(
        [
            *prefix,
            str(tools / "postgres"),
            "--single",
            "-D",
            str(data),
            *options,
            "postgres",
        ],
        input=statement.encode(),
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0 or "ERROR:" in said:
        causes = [line for line in said.splitlines() if "ERROR:" in line or "FATAL:" in line]
        reason = (causes or [said.strip()])[0].partition("  ")[2] or said.strip()
        if "does not exist" in reason:
            reason += f"; {data} keeps the db_user it was first started with, so set it back"
        raise EmbeddedError(f"the password of the database's owner cannot be set: {reason}")


def _has_c_utf8() -> bool:
    """Whether the system's C library knows letters beyond ASCII without a language."""
    import locale

    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return False
    return True


def _sync(folder: Path) -> None:
    """Put a rename on disk for good; initdb has done so with the files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
