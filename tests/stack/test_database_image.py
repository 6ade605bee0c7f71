"""The database image: migrations at every start, seeds once, and a health check that tells the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stack.containers import (
    HARDENED,
    PROJECT,
    base_images,
    container,
    docker,
    health,
    inside,
    logs,
    new_name,
    volume,
    wait_for,
    wait_healthy,
)

pytestmark = pytest.mark.docker
FOLDER = PROJECT / "app/database"
INSTALLED = "/usr/local/lib/stackwright-database"
ENVIRONMENT = (
    *("--env", "POSTGRES_USER=admin", "--env", "POSTGRES_DB=tasks_db"),
    *("--env", "POSTGRES_PASSWORD=admin123"),
    *("--env", "POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256 --data-checksums"),
    *("--health-interval", "500ms", "--health-start-period", "5s", "--health-retries", "3"),
)
SEEDS = [
    (1, "Setup Docker Environment", "Configure all containers and networks", "completed"),
    (2, "Create Flask API", "Develop REST API with CRUD operations", "in_progress"),
    (3, "Implement Redis Cache", "Add caching layer for better performance", "pending"),
]


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The image, built from the stand-in as a user's build does."""
    name = new_name()
    labels = ("--build-arg", "VERSION=1.2.3")
    base = f"POSTGRES_BASE={base_images()['postgres']}"
    docker("build", "--quiet", "--tag", name, "--build-arg", base, *labels, str(FOLDER))
    yield name
    docker("image", "rm", "--force", name, check=False)


def data(name: str) -> tuple[str, ...]:
    """Options that mount a volume as the data folder."""
    return ("--volume", f"{name}:/var/lib/postgresql/data")


def mounted(path: Path, target: str) -> tuple[str, ...]:
    """Options that mount a file or folder read-only."""
    return ("--volume", f"{path}:{target}:ro")


def ask(name: str, sql: str) -> str:
    """Answer of a query over the Unix socket."""
    return inside(name, "psql", "-XAtU", "admin", "-d", "tasks_db", "-c", sql).stdout.strip()


def versions(name: str) -> str:
    """What schema_migrations says, with the times of application."""
    return ask(name, "SELECT version, name, applied_at FROM schema_migrations ORDER BY version")


def shipped() -> list[str]:
    """File names of the migrations in the repository, in order."""
    return sorted(path.name for path in (FOLDER / "migrations").glob("*.sql"))


def test_a_fresh_start_has_exactly_the_seeds(image: str) -> None:
    with container(image, *HARDENED, *ENVIRONMENT) as name:
        wait_healthy(name)
        listing = "SELECT json_build_array(id, title, description, status) FROM tasks"
        rows = ask(name, f"{listing} ORDER BY created_at DESC, id DESC").splitlines()
        assert [tuple(json.loads(row)) for row in rows] == SEEDS
        past = "created_at = updated_at AND created_at < now() AT TIME ZONE 'UTC'"
        assert ask(name, f"SELECT bool_and({past}) FROM tasks") == "t"
        names = ask(
            name,
            "SELECT to_char(version, 'FM0000') || '_' || name || '.sql' FROM schema_migrations",
        )
        assert names.splitlines() == shipped()
        for migration in shipped():
            assert f"migrate: applied {migration}" in logs(name)


def test_new_tasks_come_before_the_seeds_with_utc_times(image: str) -> None:
    with container(image, *HARDENED, *ENVIRONMENT, "--env", "TZ=America/Sao_Paulo") as name:
        wait_healthy(name)
        created = ask(name, "INSERT INTO tasks (title) VALUES ('new') RETURNING id").splitlines()[0]
        assert created == "4"
        assert ask(name, "SELECT id FROM tasks ORDER BY created_at DESC, id DESC LIMIT 1") == "4"
        age = "extract(epoch FROM now() AT TIME ZONE 'UTC' - created_at)"
        assert (
            ask(name, f"SELECT {age} < 60, status, description FROM tasks WHERE id = 4")
            == "t|pending|"
        )
        refused = (
            "psql",
            "-U",
            "admin",
            "-d",
            "tasks_db",
            "-c",
            "UPDATE tasks SET status = 'done'",
        )
        assert "tasks_status_known" in inside(name, *refused, check=False).stderr
        plan = "SET enable_seqscan = off; EXPLAIN SELECT * FROM tasks ORDER BY created_at DESC, id DESC"
        assert "tasks_newest_first" in ask(name, plan)


def test_a_restart_changes_nothing_and_a_deleted_seed_stays_deleted(image: str) -> None:
    with volume() as kept:
        with container(image, *HARDENED, *ENVIRONMENT, *data(kept)) as name:
            wait_healthy(name)
            before = versions(name)
            ask(name, "DELETE FROM tasks WHERE id = 2")
            docker("restart", name)
            wait_healthy(name)
            assert versions(name) == before
        with container(image, *HARDENED, *ENVIRONMENT, *data(kept)) as name:
            wait_healthy(name)
            assert versions(name) == before
            assert ask(name, "SELECT string_agg(id::text, ',' ORDER BY id) FROM tasks") == "1,3"
            assert "migrate: applied" not in logs(name)


@pytest.mark.parametrize("database", ["tasks_db", "other"])
def test_a_first_start_that_was_cut_half_way_heals(image: str, database: str) -> None:
    base = base_images()["postgres"]
    options = ("--env", "POSTGRES_USER=admin", "--env", "POSTGRES_PASSWORD=admin123")
    with volume() as kept:
        cut = (*HARDENED, *options, *data(kept), "--env", f"POSTGRES_DB={database}")
        with container(base, *cut) as name:
            reached = ("pg_isready", "-q", "-h", "127.0.0.1")
            wait_for("TCP", lambda: inside(name, *reached, check=False).returncode == 0)
            tables = ("psql", "-XAtU", "admin", "-d", database, "-c", r"\dt")
            assert "Did not find any relations" in inside(name, *tables).stderr
        with container(image, *HARDENED, *ENVIRONMENT, *data(kept)) as name:
            wait_healthy(name)
            assert ask(name, "SELECT count(*) FROM tasks") == "3"
            assert ("created the missing database" in logs(name)) == (database == "other")


@pytest.mark.parametrize("init", [True, False], ids=["init", "postgres-as-pid-1"])
def test_a_broken_migration_is_one_log_line_and_never_healthy(
    image: str, init: bool, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.sql"
    broken.write_text("CREATE TABLE half (id int);\nSELECT 1/0;\n", encoding="utf-8")
    broken.chmod(0o644)
    options = [option for option in HARDENED if init or option != "--init"]
    mount = mounted(broken, f"{INSTALLED}/migrations/0900_broken.sql")
    with container(image, *options, *ENVIRONMENT, *mount) as name:
        wait_for("the container to be unhealthy", lambda: health(name) == "unhealthy")
        (line,) = [line for line in logs(name).splitlines() if "migrate: failed" in line]
        assert "0900_broken.sql:2: ERROR:  division by zero" in line
        assert ask(name, "SELECT to_regclass('half') IS NULL, count(*) FROM tasks") == "t|3"
        answer = inside(name, "healthcheck", check=False).stdout
        assert f"version {len(shipped())}, and this image needs 900" in answer
        assert "terminating any other active server processes" not in logs(name)


def test_a_migrate_that_dies_does_not_take_the_server_along(image: str, tmp_path: Path) -> None:
    dying = tmp_path / "migrate"
    dying.write_text("#!/bin/sh\nkill -KILL $$\n", encoding="utf-8")
    dying.chmod(0o755)
    options = [option for option in HARDENED if option != "--init"]
    with container(image, *options, *ENVIRONMENT, *mounted(dying, f"{INSTALLED}/migrate")) as name:
        wait_for("the container to be unhealthy", lambda: health(name) == "unhealthy")
        assert ask(name, "SELECT now() - pg_postmaster_start_time() > interval '1 second'") == "t"
        assert "terminating any other active server processes" not in logs(name)


def test_health_stays_red_while_only_the_socket_is_open(image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "slow.sh").write_text(
        "while [ ! -e /tmp/go ]; do sleep 0.1; done\n", encoding="utf-8"
    )
    mount = mounted(tmp_path, "/docker-entrypoint-initdb.d")
    with container(image, *HARDENED, *ENVIRONMENT, *mount) as name:
        wait_for("the temporary server", lambda: "running /docker-entrypoint" in logs(name))
        inside(name, "pg_isready", "-q", "-h", "/var/run/postgresql")
        answer = inside(name, "healthcheck", check=False)
        assert (answer.returncode, answer.stdout) == (1, "no connections over TCP yet\n")
        assert health(name) != "healthy"
        inside(name, "touch", "/tmp/go")
        wait_healthy(name)


@pytest.mark.parametrize("init", [True, False], ids=["init", "postgres-as-pid-1"])
def test_stop_ends_cleanly(image: str, init: bool) -> None:
    options = [option for option in HARDENED if init or option != "--init"]
    with container(image, *options, *ENVIRONMENT) as name:
        wait_healthy(name)
        docker("stop", "--time", "60", name)
        state = docker("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", name)
        assert state.stdout.strip() == "0 false"
        assert "database system is shut down" in logs(name)


def test_a_password_changed_later_does_not_lock_the_image_out(image: str) -> None:
    with container(image, *HARDENED, *ENVIRONMENT) as name:
        wait_healthy(name)
        ask(name, "ALTER ROLE admin PASSWORD 'another'")
        docker("restart", name)
        wait_healthy(name)
        inside(name, "healthcheck")


def test_any_number_of_migrations_may_run_at_once(image: str, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    for number in range(1, 9):
        text = f"CREATE TABLE many_{number} (id int); SELECT pg_sleep(0.05);"
        (folder / f"{number:04}_many.sql").write_text(text, encoding="utf-8")
    options = (*HARDENED, *ENVIRONMENT, *mounted(folder, "/more"))
    tmp_path.chmod(0o755)
    with container(image, *options) as name:
        wait_healthy(name)
        environment = "PGHOST=/var/run/postgresql PGUSER=admin PGDATABASE=brand_new"
        command = ("sh", "-c", f"{environment} migrate /more")
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: inside(name, *command), range(4)))
        applied = [line for each in done for line in each.stdout.splitlines() if "applied" in line]
        assert sorted(applied) == [
            f"migrate: applied {number:04}_many.sql" for number in range(1, 9)
        ]


def test_migrate_says_what_it_needs_and_what_was_refused(image: str) -> None:
    with container(image, *HARDENED, *ENVIRONMENT) as name:
        wait_healthy(name)
        usage = inside(name, "migrate", check=False)
        assert (usage.returncode, "PGDATABASE" in usage.stderr) == (2, True)
        wrong = "PGHOST=127.0.0.1 PGUSER=admin PGDATABASE=tasks_db PGPASSWORD=wrong migrate"
        refused = inside(name, "sh", "-c", wrong, check=False)
        assert refused.returncode == 1
        assert "password authentication failed" in refused.stderr


def test_labels_user_and_no_password_in_the_image(image: str) -> None:
    config = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]
    assert config["User"] == "999:999"
    assert config["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    assert list(config["Volumes"]) == ["/var/lib/postgresql/data"]
    assert not [value for value in config["Env"] if "PASSWORD" in value]
