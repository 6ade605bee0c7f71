"""Options derived from db_memory: within the limit, and taken by PostgreSQL itself."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stackwright.rendering.prepare import postgres_options
from stackwright.runtimes.embedded.processes import process_user, unprivileged_prefix

from tests.api.servers import NOBODY, open_folder, postgres_program

UNITS = {"kB": 1024, "MB": 1024**2}


def size(text: str) -> int:
    found = re.fullmatch(r"([0-9]+)(kB|MB)", text)
    assert found, text
    return int(found[1]) * UNITS[found[2]]


def options(memory: str, connections: int = 100) -> dict[str, str]:
    return postgres_options({"db_memory": memory, "db_max_connections": connections})


def test_the_default_is_what_the_manual_advises() -> None:
    assert options("512m") == {
        "max_connections": "100",
        "shared_buffers": "128MB",
        "effective_cache_size": "384MB",
        "work_mem": "1310kB",
        "maintenance_work_mem": "16MB",
        "max_wal_size": "1024MB",
    }


@given(st.integers(64, 1024 * 1024), st.integers(11, 2000))
def test_what_it_takes_for_itself_fits_the_limit(megabytes: int, connections: int) -> None:
    derived = options(f"{megabytes}m", connections)
    memory = megabytes * 1024**2
    shared, work = size(derived["shared_buffers"]), size(derived["work_mem"])
    assert shared <= memory / 4
    assert shared + 4 * size(derived["maintenance_work_mem"]) <= memory / 2
    assert work == 1024**2 or work * connections <= memory / 4
    assert size(derived["effective_cache_size"]) <= memory


@pytest.mark.parametrize("memory", ["64m", "1000000k", "3g", "512g"])
@pytest.mark.parametrize("connections", [11, 2000])
def test_postgresql_takes_them(memory: str, connections: int) -> None:
    folder = open_folder()
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    words = [
        word for item in options(memory, connections).items() for word in ("-c", "=".join(item))
    ]
    prefix = unprivileged_prefix(process_user(NOBODY))
    for name in options(memory, connections):
        command = [*prefix, postgres_program("postgres"), "-D", folder, *words, "-C", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.strip()
