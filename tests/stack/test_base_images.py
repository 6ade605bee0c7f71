"""The stand-in base images keep the contracts of python:3.11-slim, postgres:16 and redis:7."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.stack.containers import (
    BASE,
    HARDENED,
    base_images,
    build_stand_ins,
    container,
    docker,
    inside,
    logs,
    run_once,
    wait_for,
)

pytestmark = pytest.mark.docker
PASSWORD = "pa$$ 'word\" é"


@pytest.fixture(scope="module")
def images() -> dict[str, str]:
    """Return the stand-ins by kind."""
    return base_images()


def ready(name: str) -> bool:
    """Whether the final server of a container takes connections over TCP."""
    return inside(name, "pg_isready", "-q", "-h", "127.0.0.1", check=False).returncode == 0


@pytest.fixture(scope="module")
def first_start(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hardened PostgreSQL that was initialised with every documented variable and kind of script."""
    folder = tmp_path_factory.mktemp("initdb")
    folder.chmod(0o755)
    scripts = {
        "10-create.sql": "CREATE TABLE words (word text);",
        "20-sourced.sh": "psql -U $POSTGRES_USER -d app-db -c \"INSERT INTO words VALUES ('sh')\"",
        "30-run.sh": "#!/bin/sh\npsql -U owner -d app-db -c \"INSERT INTO words VALUES ('run')\"\n",
        "99-note.txt": "ignored",
    }
    for name, text in scripts.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755 if name == "30-run.sh" else 0o644)
    packed = gzip.compress(b"INSERT INTO words VALUES ('gz');")
    (folder / "40-packed.sql.gz").write_bytes(packed)
    secret = tmp_path_factory.mktemp("secret") / "password"
    secret.parent.chmod(0o755)
    secret.write_text(PASSWORD, encoding="utf-8")
    options = (
        *HARDENED,
        *("--env", "POSTGRES_USER=owner", "--env", "POSTGRES_DB=app-db"),
        *("--env", "POSTGRES_PASSWORD_FILE=/run/secrets/password"),
        *("--env", "POSTGRES_INITDB_ARGS=--data-checksums --auth-host=scram-sha-256"),
        *("--volume", f"{secret}:/run/secrets/password:ro"),
        *("--volume", f"{folder}:/docker-entrypoint-initdb.d:ro"),
    )
    with container(images["postgres"], *options, command=("-c", "max_connections=33")) as name:
        wait_for("the first start", lambda: ready(name))
        yield name


def ask(name: str, sql: str) -> str:
    """Answer of a query over the Unix socket."""
    return inside(name, "psql", "-XAtU", "owner", "-d", "app-db", "-c", sql).stdout.strip()


def test_every_kind_of_init_script_ran_once_in_order(first_start: str) -> None:
    assert ask(first_start, "SELECT string_agg(word, ',') FROM words") == "sh,run,gz"
    assert "ignoring /docker-entrypoint-initdb.d/99-note.txt" in logs(first_start)


def test_server_settings_are_those_of_the_official_image(first_start: str) -> None:
    wanted = {
        "server_version_num": r"16\d{4}",
        "max_connections": "33",
        "listen_addresses": r"\*",
        "data_directory": "/var/lib/postgresql/data",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "lc_messages": r"en_US\.utf8",
        "password_encryption": "scram-sha-256",
        "unix_socket_directories": "/var/run/postgresql.*",
    }
    names = ", ".join(f"current_setting('{name}')" for name in wanted)
    answers = ask(first_start, f"SELECT {names}").split("|")
    for (name, pattern), answer in zip(wanted.items(), answers, strict=True):
        assert re.fullmatch(pattern, answer), f"{name} is {answer}"
    assert ask(first_start, "SELECT DISTINCT datcollate FROM pg_database") == "en_US.utf8"


def test_password_from_a_file_is_asked_over_tcp(first_start: str) -> None:
    def login(password: str) -> int:
        script = 'psql -w -h "$(hostname -i)" -U owner -d app-db -c "SELECT 1"'
        environment = ("--env", f"PGPASSWORD={password}")
        return docker("exec", *environment, first_start, "sh", "-c", script, check=False).returncode

    assert login(PASSWORD) == 0
    assert login(PASSWORD + "x") == 2


def test_the_server_runs_as_999_and_its_tools_are_on_the_path(first_start: str) -> None:
    assert inside(first_start, "id").stdout.startswith("uid=999(postgres) gid=999(postgres)")
    for tool in ("psql", "pg_isready", "pg_restore", "pg_basebackup", "initdb", "postgres"):
        assert "16." in inside(first_start, tool, "--version").stdout
    dump = inside(first_start, "pg_dump", "-U", "owner", "-d", "app-db").stdout
    assert "CREATE TABLE public.words" in dump


def test_second_start_keeps_the_data_and_runs_no_script(first_start: str) -> None:
    before = logs(first_start)
    docker("restart", first_start)
    wait_for("the second start", lambda: ready(first_start))
    assert ask(first_start, "SELECT count(*) FROM words") == "3"
    since = logs(first_start).removeprefix(before)
    assert "initialisation" not in since
    assert "running /docker-entrypoint-initdb.d" not in since


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"),
        (
            ("--env", "POSTGRES_PASSWORD=a", "--env", "POSTGRES_PASSWORD_FILE=/b"),
            "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set",
        ),
        (("--env", "POSTGRES_PASSWORD_FILE=/missing"), "POSTGRES_PASSWORD_FILE cannot be read"),
    ],
)
def test_no_database_without_one_clear_password(
    images: dict[str, str], options: tuple[str, ...], sentence: str
) -> None:
    done = run_once(images["postgres"], *HARDENED, *options)
    assert done.returncode == 1
    assert sentence in done.stderr


def test_started_as_root_the_server_is_postgres(images: dict[str, str]) -> None:
    options = ("--env", "POSTGRES_HOST_AUTH_METHOD=trust")
    with container(images["postgres"], *options) as name:
        wait_for("the first start", lambda: ready(name))
        assert inside(name, "stat", "--format", "%u", "/proc/1").stdout.strip() == "999"
        assert inside(name, "psql", "-XAtU", "postgres", "-c", "SELECT 1").stdout.strip() == "1"
        assert "whoever reaches the port is superuser" in logs(name)


def test_a_failing_init_script_ends_the_start(images: dict[str, str], tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "broken.sql").write_text("SELECT 1/0;", encoding="utf-8")
    mount = ("--volume", f"{tmp_path}:/docker-entrypoint-initdb.d:ro")
    done = run_once(images["postgres"], *HARDENED, *mount, "--env", "POSTGRES_PASSWORD=a")
    assert done.returncode != 0
    assert "division by zero" in done.stderr


def redis_answers(name: str) -> bool:
    """Whether the Redis of a container answers PONG from outside its loopback."""
    script = 'redis-cli -h "$(hostname -i)" PING'
    return inside(name, "sh", "-c", script, check=False).stdout.strip() == "PONG"


def redis_pongs(name: str) -> bool:
    """Whether the Redis of a container answers PONG on its loopback."""
    return inside(name, "redis-cli", "PING", check=False).stdout.strip() == "PONG"


def redis_setting(name: str, setting: str) -> str:
    """Value of a setting of a running Redis."""
    return inside(name, "redis-cli", "CONFIG", "GET", setting).stdout.removeprefix(setting).strip()


@pytest.mark.parametrize("user", [(), ("--user", "999:999", "--read-only", "--cap-drop", "ALL")])
def test_redis_answers_to_other_containers_as_999(
    images: dict[str, str], user: tuple[str, ...]
) -> None:
    with container(images["redis"], *user, "--tmpfs", "/data") as name:
        wait_for("PONG", lambda: redis_answers(name))
        assert inside(name, "stat", "--format", "%u", "/proc/1").stdout.strip() == "999"
        assert redis_setting(name, "dir") == "/data"
        assert "redis_version:7." in inside(name, "redis-cli", "INFO", "server").stdout


def test_redis_takes_flags_and_the_command_itself(images: dict[str, str]) -> None:
    for command in (
        ("--save", "", "--maxmemory", "8mb"),
        ("redis-server", "--maxmemory", "8mb", "--save", ""),
    ):
        with container(images["redis"], command=command) as name:
            wait_for("PONG", partial(redis_answers, name))
            assert redis_setting(name, "maxmemory") == "8388608"
            assert redis_setting(name, "save") == ""


def test_redis_takes_a_file_whose_word_on_protected_mode_counts(
    images: dict[str, str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "own.conf"
    mount = ("--volume", f"{tmp_path}:/etc/redis:ro")
    for text, protected in (
        ("maxmemory 9mb\n", "no"),
        ("maxmemory 9mb\nprotected-mode yes\n", "yes"),
    ):
        file.write_text(text, encoding="utf-8")
        with container(images["redis"], *mount, command=("/etc/redis/own.conf",)) as name:
            wait_for("PONG", partial(redis_pongs, name))
            assert redis_setting(name, "maxmemory") == "9437184"
            assert redis_setting(name, "protected-mode") == protected


def test_redis_still_tells_its_version(images: dict[str, str]) -> None:
    assert "v=7." in run_once(images["redis"], command=("redis-server", "--version")).stdout


def test_python_has_venv_and_pip_where_the_official_image_has_them(images: dict[str, str]) -> None:
    script = """
        set -eu
        python -c 'import sys; print(sys.version_info[:2], sys.prefix)'
        python3 --version; pip --version; command -v python; command -v pip
        python -m venv /tmp/venv && /tmp/venv/bin/python -m pip --version
        python -m venv --without-pip /tmp/bare && pip --python /tmp/bare/bin/python list
        for tool in gcc cc make; do if command -v $tool; then exit 9; fi; done
    """
    done = run_once(images["python"], command=("sh", "-c", script))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(3, 11) /usr/local\n")
    assert "/usr/local/bin/python\n/usr/local/bin/pip\n" in done.stdout
    assert (
        run_once(images["python"], "--user", "10001:10001", command=("id", "-u")).stdout
        == "10001\n"
    )


@pytest.mark.parametrize("kind", ["debian", "python", "postgres", "redis"])
def test_no_cache_list_or_certificate_stays_in_an_image(images: dict[str, str], kind: str) -> None:
    places = "/var/lib/apt/lists /var/cache/apt /root/.cache /run/secrets /wheel"
    script = (
        f"find {places} -type f -size +0 2>/dev/null; find / -xdev -name '*.whl' -path '*cache*'"
    )
    assert run_once(images[kind], "--entrypoint", "", command=("sh", "-c", script)).stdout == ""


def test_a_second_build_only_looks(images: dict[str, str]) -> None:
    done = build_stand_ins(*(f"{kind}={image}" for kind, image in images.items()))
    assert done.stdout.splitlines() == [f"present {image}" for image in sorted_by_build(images)]


def sorted_by_build(images: dict[str, str]) -> list[str]:
    """Images in the order the script reports them."""
    return [images[kind] for kind in ("debian", "python", "redis", "postgres", "caddy")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["python=a"], "debian=TAG is needed"),
        (["debian=a", "postgres=b"], "postgres=TAG needs python=TAG"),
        (["debian=a", "mysql=b"], "'mysql=b' is none of"),
        (["debian="], "no tag in 'debian='"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_built(
    images: dict[str, str], arguments: list[str], sentence: str
) -> None:
    done = build_stand_ins(*arguments)
    assert done.returncode == 1
    assert sentence in done.stderr


def test_missing_mmdebstrap_is_named_with_the_remedy(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", BASE / "debian/build", "never:built"],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "apt-get install mmdebstrap" in done.stderr
