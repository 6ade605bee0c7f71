"""How many threads work at a time, and what those do that wait."""

from __future__ import annotations

import threading

import pytest
from tasks_api.server.concurrency import Slots, TooManyWaiting

from tests.api.servers import wait_for


class Worker(threading.Thread):
    """Takes a slot, waits with it if it is told to, gives it back, and then counts as back."""

    def __init__(self, slots: Slots, *, waits: bool, must: bool = False) -> None:
        super().__init__(daemon=True)
        self._slots, self._waits, self._must = slots, waits, must
        self.begun, self.may_go_on, self.back = (threading.Event() for _ in range(3))
        self.start()

    def run(self) -> None:
        self._slots.begin()
        self.begun.set()
        if self._waits:
            with self._slots.waiting(must=self._must):
                self.may_go_on.wait(30)
        else:
            self.may_go_on.wait(30)
        self._slots.end(may_park=True)
        self.back.set()


@pytest.fixture
def slots() -> Slots:
    """Return a slot for one thread at a time, with room for one that waits."""
    made = Slots()
    made.limit = made.room = 1
    return made


def finish(worker: Worker) -> None:
    """Let a worker give its slot back."""
    assert worker.begun.wait(30)
    worker.may_go_on.set()


def test_surplus_thread_is_parked_until_another_waits(slots: Slots) -> None:
    busy, surplus = Worker(slots, waits=False), Worker(slots, waits=False)
    assert busy.begun.wait(30)
    finish(surplus)
    assert not surplus.back.wait(0.2)
    waiting = Worker(slots, waits=True)
    assert surplus.back.wait(30)
    for worker in (waiting, busy):
        finish(worker)
    wait_for(lambda: waiting.back.is_set() or busy.back.is_set(), "one to be free to work")


def test_last_thread_is_not_parked(slots: Slots) -> None:
    only = Worker(slots, waits=False)
    finish(only)
    assert only.back.wait(30)


def test_no_more_threads_wait_than_there_is_room_for(slots: Slots) -> None:
    waiting = Worker(slots, waits=True)
    assert waiting.begun.wait(30)
    slots.begin()
    wait_for(lambda: refuses(slots), "the other to wait")
    with slots.waiting(must=True):
        pass
    finish(waiting)
    wait_for(lambda: not refuses(slots), "the other to go on")


def test_who_must_wait_takes_no_room(slots: Slots) -> None:
    needy = [Worker(slots, waits=True, must=True) for _ in range(3)]
    for worker in needy:
        assert worker.begun.wait(30)
    slots.begin()
    assert not refuses(slots)
    for worker in needy:
        finish(worker)


def test_thread_without_a_slot_waits_as_it_likes(slots: Slots) -> None:
    slots.room = 0
    with slots.waiting():
        pass


def refuses(slots: Slots) -> bool:
    """Whether the current thread, which has a slot, is told not to wait."""
    try:
        with slots.waiting():
            return False
    except TooManyWaiting:
        return True
