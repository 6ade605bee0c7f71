"""Settings that are each allowed but do not go together; the texts are in tests/render/bad_settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stackwright.settings.problems import Problem
from stackwright.settings.rules import cross_field
from stackwright.settings.rules.cross_field import cross_field_problems
from stackwright.settings.sources import Sources
from stackwright.settings.validation import size_in_bytes
from tasks_api.server.workers import MOST_WAITING

from tests.support.project import ROOT
from tests.support.resolving import dev_values


def problems(**changes: Any) -> list[Problem]:
    sources = Sources(ROOT / "inventories/dev.yml", "dev", "dev-host", set(), ROOT)
    return cross_field_problems(dev_values(**changes), sources)


@pytest.mark.parametrize(("text", "size"), [("1k", 1024), ("512m", 536870912), ("2g", 2147483648)])
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


def test_what_is_shipped_goes_together() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("replicas", "workers", "threads", "connections", "fits"),
    [
        (1, 2, 4, 20, True),
        (1, 2, 4, 19, False),
        (3, 10, 2, 100, True),
        (3, 10, 2, 99, False),
        (1, 1, 1, 12, True),
    ],
)
def test_ten_connections_stay_free(
    replicas: int, workers: int, threads: int, connections: int, fits: bool
) -> None:
    found = problems(
        api_replicas=replicas,
        api_workers=workers,
        api_threads=threads,
        db_max_connections=connections,
        api_pids=10_000,
    )
    assert [problem.setting for problem in found] == ([] if fits else ["db_max_connections"])


@pytest.mark.parametrize(("pids", "fits"), [(160 + 12, True), (160 + 11, False)])
def test_threads_fit_into_the_container(pids: int, fits: bool) -> None:
    found = problems(api_workers=2, api_threads=4, api_pids=pids)
    assert [problem.setting for problem in found] == ([] if fits else ["api_pids"])


def test_the_api_waits_for_as_many_clients_as_the_rule_counts() -> None:
    assert cross_field.THREADS_PER_PROCESS == MOST_WAITING + 12


@pytest.mark.parametrize("name", ["api_memory", "db_memory"])
def test_the_least_memory_is_enough_and_less_is_not(name: str) -> None:
    assert problems(**{name: "64m"}) == []
    assert problems(**{name: "65536k"}) == []
    assert [problem.setting for problem in problems(**{name: "63m"})] == [name]


def test_cached_data_must_leave_room_in_the_container() -> None:
    assert problems(cache_max_data="127m") == []
    assert [problem.setting for problem in problems(cache_max_data="131072k")] == ["cache_max_data"]


@pytest.mark.parametrize(
    ("folder", "refused"),
    [
        ("/srv/shop", False),
        (str(ROOT / "generated/dev"), False),
        (str(ROOT), True),
        (str(ROOT.parent), True),
        ("/", True),
        ("/srv//shop", True),
        ("/srv/./shop", True),
        ("/srv/shop/..", True),
        ("/srv/\nshop", True),
    ],
)
def test_files_go_to_a_folder_of_their_own(folder: str, refused: bool) -> None:
    assert [problem.setting for problem in problems(stack_output_dir=folder)] == [
        "stack_output_dir"
    ] * refused


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("stack_network_subnet", "172.30.0.0/24", False),
        ("stack_network_subnet", "172.30.0.1/24", True),
        ("stack_network_subnet", "172.30.0.0/33", True),
        ("api_bind_address", "0.0.0.0", False),
        ("api_bind_address", "300.0.0.1", True),
        ("api_bind_address", "010.0.0.1", True),
    ],
)
def test_addresses_are_real_ones(name: str, text: str, refused: bool) -> None:
    assert [problem.setting for problem in problems(**{name: text})] == [name] * refused


def test_the_place_of_the_setting_to_change_is_named() -> None:
    (problem,) = problems(db_max_connections=11)
    path, _, line = problem.where.partition(":")
    assert Path(path).name == "database.yml"
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    assert lines[int(line) - 1].startswith("db_max_connections:")


def test_a_strict_environment_separates_the_api_from_the_owner_and_closes_redis() -> None:
    strict = {"secrets_strict": True, "secrets_delivery": "file"}
    assert {problem.setting for problem in problems(**strict)} == {"db_app_user", "cache_user"}
    apart = {"db_app_user": "tasks_app", "cache_user": "tasks_api"}
    assert problems(**strict, **apart) == []


def test_what_a_service_lacks_to_be_run_is_said_all_at_once() -> None:
    own = {"title": "Queue", "enabled": True, "needs": [], "host_ports": [], "secrets": []}
    services = dev_values()["stack_services"] | {
        "idle": own | {"embedded_port": 7001},
        "queue": own | {"embedded_port": 7002, "command": ["redis-server", "--dir", "{data}"]},
    }
    assert [problem.reason for problem in problems(stack_services=services)] == [
        "idle has an embedded_port, and nothing says what to run",
        "queue has {data} in its command, and no volumes",
    ]
