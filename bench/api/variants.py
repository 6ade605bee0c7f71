"""The servers that are compared, each as two server processes on one port, and how each is started."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.api import processes
from bench.api.wrk import BrokenLoadError, Load, run
from tests.api.servers import API_SOURCE, ApiProcess
from tests.support.project import ROOT

PEERS = ROOT / "bench" / "peers"
PEERS_BIN = ROOT / ".venv-bench" / "bin"
OURS = "ours"
_LOG_LINES = 40
_IDLE_SECONDS = 0.2
_SETTLE_SECONDS = 30
_IDLE_TICKS = 1  # of the usual 20 of one busy process in that time


@dataclass(frozen=True)
class Variant:
    """One server: `command` takes the port to listen on, `ready` is the path that answers 200 once it serves."""

    title: str
    command: Callable[[int], list[str]]
    ready: str
    source: Path = PEERS


def _gunicorn(app: str, *options: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        fixed = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--log-level", "warning"]
        return [str(PEERS_BIN / "gunicorn"), *fixed, "--no-control-socket", *options, app]

    return command


def _uvicorn(app: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        fixed = ["--host", "127.0.0.1", "--port", str(port), "--workers", "2", "--no-access-log"]
        loop = ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
        return [str(PEERS_BIN / "uvicorn"), *fixed, *loop, app]

    return command


def _granian(app: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        fixed = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        size = ["--workers", "2", "--blocking-threads", "4", "--http", "1", "--no-ws"]
        return [str(PEERS_BIN / "granian"), *fixed, *size, "--log-level", "warning", app]

    return command


VARIANTS = {
    OURS: Variant(
        "this API", lambda port: [sys.executable, "-m", "tasks_api"], "/livez", API_SOURCE
    ),
    "seed": Variant(
        "(a) the seed's way, gunicorn sync",
        _gunicorn("seed_way:app", "--worker-class", "sync"),
        "/health",
    ),
    "flask": Variant(
        "(b) Flask-SQLAlchemy + Flask-Caching, gthread",
        _gunicorn("flask_usual:app", "--worker-class", "gthread", "--threads", "4"),
        "/health",
    ),
    "sqlmodel": Variant("(c) FastAPI + SQLModel async", _uvicorn("fastapi_models:app"), "/health"),
    "asyncpg": Variant("(d) FastAPI + raw asyncpg", _uvicorn("fastapi_raw:app"), "/health"),
}
LIMITS = {
    "fixed-wsgi": Variant("limit: granian WSGI, fixed bytes", _granian("fixed_wsgi:app"), "/3"),
    "fixed-flask": Variant(
        "limit: Flask on granian, fixed bytes", _granian("fixed_flask:app"), "/3"
    ),
}


class VariantServer(ApiProcess):
    """One variant running; its output goes into a file, as a service's does."""

    def __init__(self, folder: Path, variant: Variant) -> None:
        folder.mkdir(parents=True)
        super().__init__(folder)
        self.variant = variant

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def load(
        self, path: str, connections: int, seconds: int, script: str | None = None, *words: str
    ) -> Load:
        """Run wrk against it, and wait until it has nothing left to do. Raises BrokenLoadError."""
        try:
            load = run(self.url + path, connections, seconds, script, words)
        except BrokenLoadError as error:
            raise BrokenLoadError(f"{self.variant.title}: {error}\n{self.log_tail}") from None
        self.settle()
        return load

    @property
    def log_tail(self) -> str:
        """The last lines of its log, without the seed's."""
        time.sleep(_IDLE_SECONDS)  # some log an error after they have answered it
        lines = [line for line in self.log.splitlines() if not line.startswith("Cache ")]
        return "\n".join(lines[-_LOG_LINES:])

    def settle(self) -> None:
        """Wait until the processes use no more time: requests wrk left behind would disturb whoever comes next."""
        assert self.process
        deadline = time.monotonic() + _SETTLE_SECONDS
        used, before = processes.cpu_ticks(self.process.pid), -_IDLE_TICKS - 1
        while used > before + _IDLE_TICKS:
            if time.monotonic() > deadline:
                raise BrokenLoadError(f"{self.variant.title}: still at work after the run")
            time.sleep(_IDLE_SECONDS)
            used, before = processes.cpu_ticks(self.process.pid), used

    def start_only(self, **environ: str) -> None:
        """Start it with these variables."""
        self._spawn(self.variant.command(self.port), self.environment(**environ))

    def environment(self, **environ: str) -> dict[str, str]:
        """The variables it is started with."""
        found_in = {"PYTHONPATH": str(self.variant.source)}
        return super().environment(**environ) | found_in

    def _answers(self) -> bool:
        try:
            return self.request("GET", self.variant.ready)[0].status == 200
        except OSError:
            return False
