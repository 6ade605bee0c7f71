"""Variants running side by side; the one that is not asked anything does nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.api import correctness
from bench.api.limits import Payloads
from bench.api.stage import Stage
from bench.api.variants import LIMITS, VARIANTS, VariantServer
from bench.api.workloads import SEED_ROWS
from bench.api.wrk import BrokenLoadError

_WARM_CONNECTIONS = 64
_WARM_SECONDS = 1


class Runner:
    """Starts variants on one stage; `folder` takes their logs."""

    def __init__(self, stage: Stage, payloads: Payloads, folder: Path) -> None:
        self._stage, self._payloads, self._folder = stage, payloads, folder
        self._numbers = itertools.count(1)

    @contextmanager
    def running(self, names: Iterable[str], expired: bool) -> Iterator[dict[str, VariantServer]]:
        """The variants of these names, started, proven right, and warm; limits only where the cache is asked."""
        servers: dict[str, VariantServer] = {}
        try:
            for name in names:
                if name in VARIANTS:
                    servers[name] = self._start(name, expired)
                    self._prepare(servers[name], expired)
                elif name in LIMITS and not expired:
                    servers[name] = self._start(name, expired)
            yield servers
        finally:
            for server in servers.values():
                server.stop()

    def _start(self, name: str, expired: bool) -> VariantServer:
        variant = (VARIANTS | LIMITS)[name]
        server = VariantServer(self._folder / f"{next(self._numbers)}-{name}", variant)
        environ = self._stage.environment(expired)
        # Otherwise the API's settings are its defaults. The level shows the seed's lines, as in dev.
        try:
            server.start(**environ, LOG_LEVEL="INFO", PAYLOADS=str(self._payloads.folder))
        except AssertionError as error:
            server.stop()
            raise BrokenLoadError(f"{variant.title}: {error}\n{server.log_tail}") from None
        return server

    def _prepare(self, server: VariantServer, expired: bool) -> None:
        self._stage.fresh(expired=expired)
        correctness.prove(server, SEED_ROWS, expired)
        self._stage.fresh(expired=expired)
        server.load("", _WARM_CONNECTIONS, _WARM_SECONDS, "mix", str(SEED_ROWS))
        self._stage.fresh(expired=expired)
