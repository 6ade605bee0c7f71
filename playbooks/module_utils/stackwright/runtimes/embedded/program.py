"""One local process as it was rendered: ``<program>.json`` beside supervisord.conf, exact data of any Unicode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import EmbeddedError
from .folder import NOT_RENDERED, Folder

PROBES = ("postgres", "redis", "http")


@dataclass(frozen=True)
class Program:
    """A program to run.

    ``argv`` begins with ``postgres``, ``redis-server`` or an absolute path; ``env`` is the whole environment but for
    PATH, HOME and LANG; ``user`` runs it when we are root; ``environment`` is the environment's name, for messages;
    a change below one of the folders ``code`` or of one of ``files`` asks for a restart;
    ``database`` has PGDATA, and what app/database/roles asks for; ``login`` has the user and password_file with which
    people and verification look into it.
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

    @property
    def database_password(self) -> str:
        """The password of the database's owner. Raises EmbeddedError when its file cannot be read."""
        return given(self.database, "POSTGRES_PASSWORD")

    @property
    def needs_database(self) -> bool:
        """Whether it is started once the database has its schema and roles; supervisord starts the others by itself."""
        return self.probe == "http"

    def secrets(self) -> list[str]:
        """Texts that must not be shown."""
        names = (name.removesuffix("_FILE") for name in self.database if "_PASSWORD" in name)
        return [given(self.database, name) for name in names]


def given(variables: Mapping[str, str], name: str) -> str:
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
        raise EmbeddedError(f"{path} belongs to another user; work as that user") from None
    except (TypeError, ValueError):
        raise EmbeddedError(
            f"{path} is not of this version of Stackwright; {NOT_RENDERED}"
        ) from None


def load_programs(folder: Folder) -> list[Program]:
    """All programs in start order. Raises EmbeddedError."""
    return [load_program(folder, name) for name in folder.programs]
