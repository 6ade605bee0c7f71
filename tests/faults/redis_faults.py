"""What can happen to Redis: each a context in which it has happened."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import NamedTuple

from redis import Redis, RedisError

from tests.api.servers import RedisServer, free_port, wait_for
from tests.support.processes import paused
from tests.support.proxy import Proxy


class Place(NamedTuple):
    """A Redis: its process, a client past the proxy, and the proxy that the API goes through."""

    server: RedisServer
    client: Redis
    proxy: Proxy


@contextmanager
def killed(place: Place) -> Iterator[None]:
    """New connections are refused; afterwards it has forgotten all."""
    place.server.stop(signal.SIGKILL)
    try:
        yield
    finally:
        place.server.start()


@contextmanager
def stopped(place: Place) -> Iterator[None]:
    """Connections stay, nothing is answered; afterwards it knows all it knew."""
    with paused(place.server):
        yield


@contextmanager
def frozen_network(place: Place) -> Iterator[None]:
    """Connections are made, nothing passes; afterwards all that was sent arrives."""
    place.proxy.freeze()
    try:
        yield
    finally:
        place.proxy.freeze(False)


@contextmanager
def unreachable(place: Place) -> Iterator[None]:
    """Connections are reset and refused, while Redis keeps what it knows."""
    place.proxy.refuse()
    try:
        yield
    finally:
        place.proxy.accept()


@contextmanager
def slow(place: Place) -> Iterator[None]:
    """Every answer comes, but late."""
    place.proxy.delay_seconds = 0.3
    try:
        yield
    finally:
        place.proxy.delay_seconds = 0.0


@contextmanager
def disconnecting(place: Place) -> Iterator[None]:
    """All connections are reset again and again."""
    over = threading.Event()

    def cut() -> None:
        while not over.wait(0.05):
            place.proxy.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def busy(place: Place) -> Iterator[None]:
    """A script of somebody else runs on and on: BUSY."""
    before = place.client.config_get("busy-reply-threshold")
    place.client.config_set("busy-reply-threshold", 1)

    def run() -> None:
        with Redis(port=place.server.port) as client, suppress(RedisError):
            client.eval("while true do end", 0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        wait_for(lambda: _kill_script(place.client), "the script to end")
        thread.join()
        for name, value in before.items():
            place.client.config_set(name, value)


def _kill_script(client: Redis) -> bool:
    try:
        return bool(client.script_kill())
    except RedisError as error:
        return "NOTBUSY" in str(error)


def configured(**settings: str) -> Callable[[Place], AbstractContextManager[None]]:
    """A context in which Redis has other settings; underscores stand for dashes."""

    @contextmanager
    def context(place: Place) -> Iterator[None]:
        names = [name.replace("_", "-") for name in settings]
        before = {name: place.client.config_get(name)[name] for name in names}
        for name, value in zip(names, settings.values(), strict=True):
            place.client.config_set(name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                place.client.config_set(name, value)

    return context


@contextmanager
def replica(place: Place) -> Iterator[None]:
    """It follows a primary that is not there: READONLY."""
    place.client.replicaof("127.0.0.1", free_port())
    try:
        yield
    finally:
        place.client.replicaof("no", "one")


@contextmanager
def not_saved(place: Place) -> Iterator[None]:
    """It could not write its file to disk, and takes no writes: MISCONF."""
    taken = place.server.folder / "dump.rdb"
    taken.mkdir()
    with configured(save="3600 1")(place):
        _save(place.client, "err")
        yield
        taken.rmdir()
        _save(place.client, "ok")


def _save(client: Redis, result: str) -> None:
    client.bgsave()
    wait_for(
        lambda: client.info("persistence")["rdb_last_bgsave_status"] == result,
        f"the save to end with {result}",
    )


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """It wants a password that the API does not have: NOAUTH."""
    with configured(requirepass="other")(place):
        place.proxy.cut()  # who was in stays in
        yield


FAULTS: dict[str, Callable[[Place], AbstractContextManager[None]]] = {
    "killed": killed,
    "paused": stopped,
    "network frozen": frozen_network,
    "unreachable": unreachable,
    "slow": slow,
    "disconnecting": disconnecting,
    "busy": busy,
    "replica": replica,
    "too few replicas": configured(min_replicas_to_write="1"),
    "out of memory": configured(maxmemory="1"),
    "not saved": not_saved,
    "password": locked,
}
