"""Bodies that are waited for, and which of them make way."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import pytest
from tasks_api.http.bodies import PROTOCOL, Bodies, Wait


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


def late(bodies: Bodies, stack: ExitStack, clients: str) -> list[Wait]:
    """Bodies of clients, a letter each, that should have come by now."""
    waits = [stack.enter_context(bodies.wait({PROTOCOL: Protocol()}, client)) for client in clients]
    time.sleep(0.03)
    return waits


def refused(waits: list[Wait]) -> list[int]:
    """Which of them were given up, all of which were answered once."""
    for wait in waits:
        answers = wait.environ[PROTOCOL].answers
        assert len(answers) == bool(wait.given_up)
        for status, headers, body in answers:
            assert (status, headers["Connection"], headers["Retry-After"]) == (503, "close", "2")
            assert int(headers["Content-Length"]) == len(body)
    return [number for number, wait in enumerate(waits) if wait.given_up]


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
def test_the_oldest_of_those_above_their_share_make_way(
    stack: ExitStack, clients: str, gone: list[int]
) -> None:
    bodies = Bodies(places=4, share=2)
    waits = late(bodies, stack, clients)
    assert len(bodies.make_way()) == len(gone)
    assert refused(waits) == gone
    assert bodies.make_way() == [waits[number] for number in gone]
    assert refused(waits) == gone


def test_what_is_there_already_needs_no_place(stack: ExitStack) -> None:
    bodies = Bodies(places=4, share=2)
    waits = late(bodies, stack, "abcd")
    for _ in range(10):
        with bodies.wait({}, "a"):
            assert not bodies.make_way()
    assert refused(waits) == []


def test_there_is_a_crowd_until_all_have_gone() -> None:
    bodies = Bodies(places=4, share=2)
    with ExitStack() as stack:
        late(bodies, stack, "ab")
        assert not bodies.crowded.is_set()
        late(bodies, stack, "c")
        assert bodies.crowded.is_set()
        assert bodies.longest_wait() > 0.05
    bodies.make_way()
    assert not bodies.crowded.is_set()
    assert bodies.longest_wait() == 0
