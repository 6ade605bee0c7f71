"""How fast one client may ask: alone, among many, and over the processes of a container."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tasks_api.http.rate_limit import ClientRate

from tests.api.servers import ApiProcess, MakeClient

SECOND = 1_000_000_000


class Clock:
    """Nanoseconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = SECOND

    def __call__(self) -> int:
        return self.now


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    rate = ClientRate(10, 4, clock=clock)
    assert [rate.seconds_to_wait("a") for _ in range(6)] == [0, 0, 0, 0, 1, 1]
    clock.now += SECOND // 10
    assert [rate.seconds_to_wait("a") for _ in range(2)] == [0, 1]
    clock.now += 60 * SECOND  # no more than the burst is saved up
    assert [rate.seconds_to_wait("a") for _ in range(5)] == [0, 0, 0, 0, 1]


def test_what_is_refused_costs_nothing() -> None:
    clock = Clock()
    rate = ClientRate(1, 1, clock=clock)
    assert [rate.seconds_to_wait("a") for _ in range(100)] == [0] + 99 * [1]
    clock.now += SECOND
    assert rate.seconds_to_wait("a") == 0


def test_no_rate_is_no_limit() -> None:
    rate = ClientRate(0, 1)
    assert {rate.seconds_to_wait("a") for _ in range(1000)} == {0}


def test_a_thousand_fast_clients_are_limited_and_hold_up_no_other(tmp_path: Path) -> None:
    """The chance that a client shares all of its slots with them is (1000/16384)³, 0.02 %."""
    clock = Clock()
    rate = ClientRate(1, 1, str(tmp_path), clock)
    fast = [f"10.0.{number // 250}.{number % 250}" for number in range(1000)]
    admitted = sum(rate.seconds_to_wait(client) == 0 for client in fast for _ in range(3))
    assert admitted >= 980
    assert admitted <= 1000
    others = [f"192.0.2.{number}" for number in range(100)]
    assert sum(rate.seconds_to_wait(client) == 0 for client in others) >= 98


def test_processes_count_together(tmp_path: Path) -> None:
    clock = Clock()
    one, other = (ClientRate(1, 3, str(tmp_path), clock) for _ in range(2))
    waits = [rate.seconds_to_wait("a") for rate in (one, other, one, other, one)]
    assert waits == [0, 0, 0, 1, 1]


def test_more_is_answered_429_in_the_one_shape(make_client: MakeClient) -> None:
    client = make_client(client_rate=1, client_burst=1)
    assert client.get("/livez").status_code == 200
    refused = client.get("/tasks")
    while refused.status_code == 200:  # a second went by
        refused = client.get("/tasks")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-Request-ID"]
    assert refused.json == {
        "error": {
            "code": "too_many_requests",
            "message": "This client asks too often.",
            "fields": {},
        }
    }


def test_a_client_has_one_limit_over_all_processes_and_another_client_its_own(
    api: ApiProcess, api_environment: dict[str, str]
) -> None:
    limits = {"TRUSTED_PROXIES": "127.0.0.1", "CLIENT_RATE": "1", "CLIENT_BURST": "5"}
    api.start(**api_environment, **limits, API_WORKERS="2")
    began, admitted = time.monotonic(), 0
    while True:
        answer, body = api.request("GET", "/livez", headers={"X-Forwarded-For": "192.0.2.1"})
        if answer.status == 429:
            break
        admitted += 1
    assert 5 <= admitted <= 5 + (time.monotonic() - began) + 1
    assert json.loads(body)["error"]["code"] == "too_many_requests"
    answer, _ = api.request("GET", "/livez", headers={"X-Forwarded-For": "192.0.2.2"})
    assert answer.status == 200
