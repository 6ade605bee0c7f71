"""Bodies that are waited for, and which of them are given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tasks_api.server.concurrency import SLOTS
from tasks_api.server.read_timeout import PROTOCOL, LateBodies, Wait


class Protocol:
    """Takes an answer as granian does: the first one."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.answers.append((status, dict(headers), body))


@pytest.fixture
def stack() -> Any:
    """What ends the waits."""
    with ExitStack() as opened:
        yield opened


def late(bodies: LateBodies, stack: ExitStack, clients: str) -> list[Wait]:
    """Bodies of clients, a letter each, that should have come by now."""
    waits = [
        stack.enter_context(bodies.reading({PROTOCOL: Protocol()}, client)) for client in clients
    ]
    time.sleep(0.03)
    return waits


def refused(waits: list[Wait]) -> list[int]:
    """Which of them were given up, all of which were answered once."""
    for wait in waits:
        answers = wait.environ[PROTOCOL].answers
        assert len(answers) == bool(wait.refusal)
        for status, headers, body in answers:
            assert (status, headers["Connection"], headers["Retry-After"]) == (503, "close", "2")
            assert int(headers["Content-Length"]) == len(body)
    return [number for number, wait in enumerate(waits) if wait.refusal]


@pytest.mark.parametrize(
    ("clients", "gone"),
    [
        ("", []),
        ("abcd", []),
        ("aabb", []),
        ("abcde", [0]),
        ("abcdef", [0, 1]),
        ("aaa", [0]),
        ("baaaaa", [1, 2, 3]),
        ("aaaabcd", [0, 1, 2]),
        ("babab", [0]),
        ("aabbccdd", [0, 1, 2, 3]),
    ],
)
def test_the_oldest_of_those_above_their_share_are_given_up(
    stack: ExitStack, clients: str, gone: list[int]
) -> None:
    bodies = LateBodies(places=4, share=2)
    waits = late(bodies, stack, clients)
    assert len(bodies.look()) == len(gone)
    assert refused(waits) == gone
    assert bodies.look() == [waits[number] for number in gone]
    assert refused(waits) == gone


def test_what_is_there_already_needs_no_place(stack: ExitStack) -> None:
    bodies = LateBodies(places=4, share=2)
    waits = late(bodies, stack, "abcd")
    for _ in range(10):
        with bodies.reading({}, "a"):
            assert not bodies.look()
    assert refused(waits) == []


def test_what_takes_too_long_is_given_up(stack: ExitStack) -> None:
    bodies = LateBodies(places=4, share=2, limit=0.01)
    [wait] = late(bodies, stack, "a")
    assert bodies.look() == [wait]
    [(status, headers, body)] = wait.environ[PROTOCOL].answers
    assert (status, headers["Connection"]) == (408, "close")
    assert b'"request_timeout"' in body


def test_another_thread_works_in_place_of_one_that_reads(stack: ExitStack) -> None:
    parked = threading.Event()

    def be_parked() -> None:
        SLOTS.begin()
        SLOTS.end(may_park=True)
        parked.set()

    stack.enter_context(limited_to_one())
    SLOTS.begin()
    bodies = LateBodies()
    late(bodies, stack, "a")
    other = threading.Thread(target=be_parked, daemon=True)
    other.start()
    assert not parked.wait(0.2)
    bodies.look()
    assert parked.wait(30)


@contextmanager
def limited_to_one() -> Iterator[None]:
    """One slot for working threads, as long as the context lasts, which the current thread ends with."""
    before, SLOTS.limit = SLOTS.limit, 1
    yield
    SLOTS.end(may_park=False)
    SLOTS.limit = before
