"""A container that may have no more threads for a while, as in a fork bomb, is whole again afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis
from tasks_api.cache.coherence import Coherence
from tasks_api.cache.redis import RedisLink
from tasks_api.config import Config

from tests.api.servers import wait_for


@contextmanager
def no_more_threads() -> Iterator[None]:
    """The kernel's answer where the container's limit is reached (the limit does not hold for root, as tests run)."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield


def test_the_cache_is_believed_again_afterwards(config: Config, redis: Redis) -> None:
    trust = Coherence(RedisLink(config), announce=lambda: True)
    trust.listening(suspended=False)
    wait_for(lambda: trust.believed, "the cache to be believed")
    with no_more_threads():
        trust.suspend(0)
        assert not trust.believed
    wait_for(lambda: trust.believed, "the cache to be believed again")
    trust.close()
