"""Threads that work by turns."""

from __future__ import annotations

import threading

import pytest
from tasks_api.server.concurrency import NoRoom, Turns

from tests.api.servers import wait_for


class Worker(threading.Thread):
    """Takes a turn, waits in it if it is told to, ends it, and then counts as back."""

    def __init__(self, turns: Turns, *, waits: bool, must: bool = False) -> None:
        super().__init__(daemon=True)
        self._turns, self._waits, self._must = turns, waits, must
        self.begun, self.may_go_on, self.back = (threading.Event() for _ in range(3))
        self.start()

    def run(self) -> None:
        self._turns.begin()
        self.begun.set()
        if self._waits:
            with self._turns.waiting(must=self._must):
                self.may_go_on.wait(30)
        else:
            self.may_go_on.wait(30)
        self._turns.end(may_rest=True)
        self.back.set()


@pytest.fixture
def turns() -> Turns:
    """Return turns for one thread at a time, with room for one that waits."""
    made = Turns()
    made.limit = made.room = 1
    return made


def finish(worker: Worker) -> None:
    """Let a worker end its turn."""
    assert worker.begun.wait(30)
    worker.may_go_on.set()


def test_surplus_thread_rests_until_another_waits(turns: Turns) -> None:
    busy, surplus = Worker(turns, waits=False), Worker(turns, waits=False)
    assert busy.begun.wait(30)
    finish(surplus)
    assert not surplus.back.wait(0.2)
    waiting = Worker(turns, waits=True)
    assert surplus.back.wait(30)
    for worker in (waiting, busy):
        finish(worker)
    wait_for(lambda: waiting.back.is_set() or busy.back.is_set(), "one to be free to work")


def test_last_thread_does_not_rest(turns: Turns) -> None:
    only = Worker(turns, waits=False)
    finish(only)
    assert only.back.wait(30)


def test_no_more_threads_wait_than_there_is_room_for(turns: Turns) -> None:
    waiting = Worker(turns, waits=True)
    assert waiting.begun.wait(30)
    turns.begin()
    wait_for(lambda: refuses(turns), "the other to wait")
    with turns.waiting(must=True):
        pass
    finish(waiting)
    wait_for(lambda: not refuses(turns), "the other to go on")


def test_who_must_wait_takes_no_room(turns: Turns) -> None:
    needy = [Worker(turns, waits=True, must=True) for _ in range(3)]
    for worker in needy:
        assert worker.begun.wait(30)
    turns.begin()
    assert not refuses(turns)
    for worker in needy:
        finish(worker)


def test_thread_without_a_turn_waits_as_it_likes(turns: Turns) -> None:
    turns.room = 0
    with turns.waiting():
        pass


def refuses(turns: Turns) -> bool:
    """Whether the current thread, which has a turn, is told not to wait."""
    try:
        with turns.waiting():
            return False
    except NoRoom:
        return True
