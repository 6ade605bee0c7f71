"""What one task of a run worked out, its later tasks find; other runs do not."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable

import pytest
from stackwright.actions.run_memory import RunMemory


@pytest.fixture
def memory() -> RunMemory:
    return RunMemory()


def in_tasks(*actions: Callable[[], object]) -> None:
    """Do things in processes that are forked for them, all at once, and end, as Ansible's tasks do."""
    children = []
    for action in actions:
        child = os.fork()
        if child == 0:
            try:
                action()
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [
        0 for _ in children
    ]


def test_later_tasks_find_what_tasks_at_the_same_time_kept(memory: RunMemory) -> None:
    values = {name: {"name": name, "text": name * 50_000} for name in ("dev", "prod", "stage", "x")}
    in_tasks(
        *(lambda name=name: memory.keep(["host", name], values[name]) for name in values)  # type: ignore[misc]
    )
    assert {name: memory.recall(["host", name]) for name in values} == values


def test_what_is_made_of_something_else_is_another_thing(memory: RunMemory) -> None:
    memory.keep({"api_port": 5000}, "known")
    assert memory.recall({"api_port": 5001}) is None
    assert RunMemory().recall({"api_port": 5000}) is None


def test_no_other_program_and_no_disk_gets_it(memory: RunMemory) -> None:
    (descriptor,) = vars(memory).values()
    assert os.readlink(f"/proc/self/fd/{descriptor}").startswith("/memfd:")
    assert not os.get_inheritable(descriptor)


def test_what_has_no_room_is_not_known_and_does_no_harm(memory: RunMemory) -> None:
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        memory.keep("large", "x" * 8192)
        memory.keep("small", "y")

    in_tasks(fill)
    assert memory.recall("large") is None
    assert memory.recall("small") == "y"
