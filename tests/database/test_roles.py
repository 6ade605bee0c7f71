"""Roles of the database over the real PostgreSQL: each may do its work and nothing else, whatever was before."""

from __future__ import annotations

import re

import psycopg2
import pytest
from psycopg2 import errors

from tests.api.servers import PASSWORD
from tests.database.cluster import APP, BACKUP, MONITOR, Cluster

REFUSED = errors.InsufficientPrivilege


def test_the_application_works_with_its_rows(cluster: Cluster) -> None:
    assert cluster.ask("SELECT current_user") == "tasks_app"
    cluster.ask("INSERT INTO tasks (title, description) VALUES ('mine', 'docker-compose.yml')")
    assert (
        cluster.ask("UPDATE tasks SET title = 'its' WHERE title = 'mine' RETURNING title") == "its"
    )
    words = "tasks_words(title, description) @@ to_tsquery('simple', 'compose')"
    assert cluster.ask(f"SELECT count(*) FROM tasks WHERE {words}") == 1
    assert cluster.ask("DELETE FROM tasks WHERE title = 'its' RETURNING 1") == 1
    key = "INSERT INTO idempotency_keys (key, request, task) VALUES ('k', '', '{}')"
    cluster.ask(key)
    assert cluster.ask("DELETE FROM idempotency_keys RETURNING key") == "k"
    cluster.ask("LISTEN tasks_cache")
    cluster.ask("SELECT pg_notify('tasks_cache', '')")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE tasks",
        "TRUNCATE tasks",
        "ALTER TABLE tasks ADD COLUMN more int",
        "CREATE INDEX ON tasks (title)",
        "CREATE TABLE more (id int)",
        "CREATE TEMPORARY TABLE more (id int)",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql RETURN 1",
        "CREATE SCHEMA more",
        "CREATE DATABASE more",
        "CREATE ROLE more",
        "ALTER ROLE admin PASSWORD 'x'",
        "SET ROLE admin",
        "SELECT * FROM schema_migrations",
        "DELETE FROM schema_migrations",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_file('PG_VERSION')",
        "COPY tasks TO PROGRAM 'cat'",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_logical_emit_message(false, '', repeat('x', 1000))",
        "SELECT pg_advisory_lock(hashtext('stackwright roles'))",
    ],
)
def test_the_application_may_not(cluster: Cluster, statement: str) -> None:
    with pytest.raises(REFUSED):
        cluster.ask(statement)


def test_the_backup_reads_everything_and_changes_nothing(cluster: Cluster) -> None:
    assert cluster.ask("SELECT count(*) FROM schema_migrations", "tasks_backup", BACKUP)
    assert cluster.ask("SELECT count(*) FROM tasks", "tasks_backup", BACKUP) == 3
    for statement in (
        "DELETE FROM tasks",
        "INSERT INTO tasks (title) VALUES ('x')",
        "DROP TABLE tasks",
    ):
        with pytest.raises(REFUSED):
            cluster.ask(statement, "tasks_backup", BACKUP)


def test_the_monitor_sees_figures_and_no_task(cluster: Cluster) -> None:
    seen = "SELECT count(query) FROM pg_stat_activity WHERE usename = 'admin'"
    connection = cluster.connect("admin", PASSWORD)
    try:
        connection.cursor().execute("SELECT 1")
        assert cluster.ask(seen, "tasks_monitor", MONITOR)
    finally:
        connection.close()
    with pytest.raises(REFUSED):
        cluster.ask("SELECT * FROM tasks", "tasks_monitor", MONITOR)


@pytest.mark.parametrize("role", ["tasks_app", "tasks_backup", "tasks_monitor"])
def test_no_role_gets_in_with_another_password_or_into_another_database(
    cluster: Cluster, role: str
) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        cluster.connect(role, "wrong")
    password = {"tasks_app": APP, "tasks_backup": BACKUP, "tasks_monitor": MONITOR}[role]
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        cluster.connect(role, password, "postgres")


def test_forgotten_sessions_end(cluster: Cluster) -> None:
    settings = (
        "statement_timeout idle_in_transaction_session_timeout idle_session_timeout lock_timeout"
    )
    shown = {
        (role, name): cluster.ask(f"SHOW {name}", role, password)
        for role, password in (
            ("tasks_app", APP),
            ("tasks_backup", BACKUP),
            ("tasks_monitor", MONITOR),
        )
        for name in settings.split()
    }
    assert [shown["tasks_app", name] for name in settings.split()] == ["30s", "10s", "0", "10s"]
    assert [shown["tasks_backup", name] for name in settings.split()] == ["0", "0", "10min", "1min"]
    assert [shown["tasks_monitor", name] for name in settings.split()] == [
        "10s",
        "10s",
        "10min",
        "5s",
    ]
    assert cluster.owner("SHOW idle_in_transaction_session_timeout") == "10min"


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    before = cluster.attributes()
    assert cluster.run("roles", **cluster.names()).returncode == 0
    assert cluster.attributes() == before


def test_what_was_given_by_hand_is_taken_back(cluster: Cluster) -> None:
    before = cluster.attributes()
    for statement in (
        "ALTER ROLE tasks_app SUPERUSER CREATEDB CREATEROLE BYPASSRLS REPLICATION",
        "ALTER ROLE tasks_app SET work_mem = '1GB'",
        "GRANT admin TO tasks_app",
        "GRANT tasks_app TO tasks_monitor",
        "GRANT ALL ON schema_migrations, tasks TO tasks_app",
        "ALTER ROLE tasks_backup NOLOGIN",
    ):
        cluster.owner(statement)
    assert cluster.attributes() != before
    assert cluster.run("roles", **cluster.names()).returncode == 0
    assert cluster.attributes() == before


def test_what_a_role_did_to_itself_is_taken_back_with_the_sessions_of_meanwhile(
    cluster: Cluster,
) -> None:
    before = cluster.attributes()
    once = cluster.connect().cursor()
    for statement in (
        "ALTER ROLE tasks_app SET default_transaction_read_only = on",
        "ALTER ROLE tasks_app IN DATABASE tasks_db SET search_path = pg_catalog",
        "ALTER ROLE tasks_app PASSWORD 'its own'",
    ):
        once.execute(statement)
    with pytest.raises(errors.UndefinedTable):
        cluster.ask("SELECT count(*) FROM tasks", password="its own")
    meanwhile = cluster.connect(password="its own").cursor()
    done = cluster.run("roles", **cluster.names())
    assert (done.returncode, done.stderr) == (0, "")
    assert "put right" in done.stdout
    assert cluster.attributes() == before
    assert cluster.ask("SELECT count(*) FROM tasks") == 3
    with pytest.raises(psycopg2.OperationalError):
        meanwhile.execute("SELECT 1")
    assert cluster.run("roles", **cluster.names()).stdout == ""


def test_settings_of_the_owner_do_not_hinder_its_scripts(cluster: Cluster) -> None:
    before = cluster.attributes()
    once = cluster.connect("admin", PASSWORD).cursor()
    for setting in ("default_transaction_read_only = on", "search_path = nowhere"):
        once.execute(f"ALTER ROLE admin IN DATABASE tasks_db SET {setting}")
    migrated = cluster.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    done = cluster.run("roles", **cluster.names())
    assert done.returncode == 0, done.stderr
    assert cluster.attributes() == before


def test_changed_passwords_take_effect_the_owners_too_and_are_kept_as_scram(
    cluster: Cluster,
) -> None:
    changed = "þ another \\ one' \"" + "x" * 500
    done = cluster.run(
        "roles", POSTGRES_PASSWORD="a new owner's: \\ 🎉", **cluster.names(DB_APP_PASSWORD=changed)
    )
    assert done.returncode == 0, done.stderr
    cluster.owner_password = "a new owner's: \\ 🎉"
    assert cluster.ask("SELECT 1", password=changed) == 1
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        cluster.connect()
    kept = (
        "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$4096:%') FROM pg_authid WHERE rolcanlogin"
    )
    assert cluster.owner(kept) is True
    back = cluster.run("roles", POSTGRES_PASSWORD=PASSWORD, **cluster.names())
    assert back.returncode == 0, back.stderr
    cluster.owner_password = PASSWORD
    assert cluster.ask("SELECT 1") == 1


def test_a_password_from_a_file_is_taken_as_it_is(cluster: Cluster) -> None:
    file = cluster.folder / "secret"
    file.write_text(" from a file: \\ '🎉 ", encoding="utf-8")
    named = cluster.names()
    del named["DB_APP_PASSWORD"]
    assert cluster.run("roles", DB_APP_PASSWORD_FILE=str(file), **named).returncode == 0
    assert cluster.ask("SELECT 1", password=" from a file: \\ '🎉 ") == 1
    missing = cluster.run("roles", DB_APP_PASSWORD_FILE="/nowhere", **named)
    assert missing.returncode == 1
    assert "DB_APP_PASSWORD_FILE cannot be read" in missing.stderr
    assert cluster.run("roles", **cluster.names()).returncode == 0


def test_a_renamed_role_leaves_no_login_behind(cluster: Cluster) -> None:
    assert cluster.run("roles", **cluster.names(DB_APP_USER="other_app")).returncode == 0
    assert cluster.ask("SELECT count(*) FROM tasks", "other_app") == 3
    with pytest.raises(psycopg2.OperationalError, match="authentication failed|not permitted"):
        cluster.connect()
    assert cluster.run("roles", **cluster.names()).returncode == 0
    assert cluster.ask("SELECT 1") == 1
    with pytest.raises(psycopg2.OperationalError, match="authentication failed|not permitted"):
        cluster.connect("other_app")


def test_the_owner_itself_may_be_the_applications_role_as_in_the_seed(cluster: Cluster) -> None:
    named = cluster.names(DB_APP_USER="admin", DB_APP_PASSWORD=PASSWORD)
    assert cluster.run("roles", POSTGRES_PASSWORD=PASSWORD, **named).returncode == 0
    assert cluster.owner("SELECT rolsuper FROM pg_roles WHERE rolname = 'admin'") is True
    assert cluster.owner("SHOW statement_timeout") == "0"
    assert cluster.run("roles", **cluster.names()).returncode == 0


def test_a_failure_changes_nothing_and_tells_no_password(cluster: Cluster) -> None:
    before = cluster.attributes()
    refused = cluster.run(
        "roles", **cluster.names(DB_MONITOR_USER="pg_own", DB_APP_PASSWORD="marked-9z")
    )
    assert refused.returncode == 1
    assert "roles: failed, and nothing was changed: " in refused.stderr
    assert 'role name "pg_own" is reserved' in refused.stderr
    assert "marked-9z" not in refused.stderr + refused.stdout
    assert cluster.attributes() == before
    assert cluster.ask("SELECT 1") == 1
    without = cluster.run("roles", **cluster.names(DB_BACKUP_PASSWORD=""))
    assert (without.returncode, "DB_BACKUP_PASSWORD is not given" in without.stderr) == (1, True)


def test_the_server_logs_no_password_and_no_verifier_even_when_it_logs_every_statement(
    cluster: Cluster,
) -> None:
    cluster.owner("ALTER SYSTEM SET log_statement = 'all'")
    cluster.owner("SELECT pg_reload_conf()")
    try:
        assert cluster.run("roles", POSTGRES_PASSWORD=PASSWORD, **cluster.names()).returncode == 0
        cluster.owner("SELECT 'and it does log'")
    finally:
        cluster.owner("ALTER SYSTEM RESET log_statement")
        cluster.owner("SELECT pg_reload_conf()")
    assert "and it does log" in cluster.server.log
    for secret in (APP, BACKUP, MONITOR, PASSWORD):
        assert secret.strip() not in cluster.server.log
    assert not re.search(r"SCRAM-SHA-256\$", cluster.server.log)


def test_another_application_has_a_schema_of_its_own_and_no_tasks(cluster: Cluster) -> None:
    assert cluster.run("roles", **cluster.names(DB_APP_SCHEMA="own")).returncode == 0
    try:
        cluster.ask("CREATE TABLE IF NOT EXISTS own (id int)")
        assert cluster.owner("SELECT count(*) FROM tasks_app.own") == 0
        assert cluster.ask("SELECT count(*) FROM tasks_app.own", "tasks_backup", BACKUP) == 0
        for statement in (
            "SELECT FROM tasks",
            "SELECT tasks_plain('')",
            "CREATE TABLE public.own (id int)",
            "CREATE SCHEMA more",
        ):
            with pytest.raises(REFUSED):
                cluster.ask(statement)
    finally:
        assert cluster.run("roles", **cluster.names()).returncode == 0
    assert cluster.ask("SELECT count(*) FROM tasks") == 3
