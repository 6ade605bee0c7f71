"""The look from outside, at real sockets on two addresses of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from stackwright.diagnosis.ports import PortOwner, is_foreign, port_users
from stackwright.secrets.masking import MASK, Masker
from stackwright.verification import external_check
from stackwright.verification.external_check import Port, check, check_ports, looked_up, ports_of
from stackwright.verification.report import CheckFailed

INSIDE, OUTSIDE = "127.0.0.1", "127.0.0.2"


@pytest.fixture
def listening() -> Iterator[Any]:
    """Listen at an address; gives the port."""
    with ExitStack() as stack:

        def listen(address: str) -> int:
            server = stack.enter_context(socket.create_server((address, 0)))
            port: int = server.getsockname()[1]
            return port

        yield listen


def nobody(ports: list[int]) -> Mapping[str, Mapping[str, Any]]:
    raise AssertionError("nothing is open that should be closed")


def owned(foreign: bool) -> Any:
    return lambda ports: {str(port): {"owner": "'redis'", "foreign": foreign} for port in ports}


def test_what_is_bound_to_another_address_is_closed_outside() -> None:
    published = [
        {"service": "edge", "port": 443, "address": "0.0.0.0"},
        {"service": "api", "port": 80, "address": OUTSIDE},
        {"service": "database", "port": 5432, "address": INSIDE},
    ]
    closed = [{"service": "cache", "port": 6379}, {"service": "api", "port": 443}]
    assert ports_of(published, closed, OUTSIDE) == [
        Port("edge", 443, True),
        Port("api", 80, True),
        Port("database", 5432, False),
        Port("cache", 6379, False),
    ]


def test_ports_are_as_they_are_to_be(listening: Any) -> None:
    edge, database = (
        Port("edge", listening(OUTSIDE), True),
        Port("database", listening(INSIDE), False),
    )
    found = check_ports("srv", OUTSIDE, [edge, database], nobody, control=edge.number)
    assert found.text == f"{OUTSIDE}: {edge} open, {database} closed"


def test_a_port_past_the_settings_breaks_the_promise_and_says_that_no_firewall_helps(
    listening: Any,
) -> None:
    port = Port("banco-dados", listening(OUTSIDE), False)
    masker = Masker(["redis"])
    proof, message = check(lambda: check_ports("srv", OUTSIDE, [port], owned(False)), masker)
    assert (proof.name, proof.ok) == ("outside", False)
    assert f"banco-dados cannot be reached at {OUTSIDE}:{port.number}" in message
    assert f"a connection succeeds to '{MASK}'" in message
    assert "redis" not in proof.text
    assert "Docker's rules come first" in message


def test_a_port_of_somebody_else_is_told_and_breaks_nothing(listening: Any) -> None:
    port = Port("cache-redis", listening(OUTSIDE), False)
    found = check_ports("srv", OUTSIDE, [port], owned(True))
    told = (
        f"{OUTSIDE}: nothing open, nothing closed; {port.number} is 'redis', not this environment"
    )
    assert found.text == told


def test_a_published_port_that_does_not_answer_breaks_the_promise(listening: Any) -> None:
    port = Port("edge", listening(INSIDE), True)
    with pytest.raises(CheckFailed, match=f"edge answers at {OUTSIDE}"):
        check_ports("srv", OUTSIDE, [port], nobody)


def test_a_host_that_cannot_be_reached_at_all_is_no_proof_of_closed_ports(listening: Any) -> None:
    port = listening(INSIDE)
    with pytest.raises(CheckFailed, match="srv can be reached from here") as broken:
        check_ports("srv", OUTSIDE, [Port("database", 1, False)], nobody, control=port)
    assert "stack_outside_address" in broken.value.fix


def test_names_are_looked_up() -> None:
    assert looked_up("localhost") == "127.0.0.1"
    with pytest.raises(CheckFailed, match="no-such-host.invalid can be reached"):
        looked_up("no-such-host.invalid")


def test_this_machines_own_address_is_not_loopback() -> None:
    address = external_check.own_address()
    assert not address.startswith("127.")
    if address:
        with socket.create_server((address, 0)):
            pass


@pytest.mark.parametrize(
    ("owner", "words", "foreign"),
    [
        (None, ["172.20.0.2"], False),
        (PortOwner(80, 1, "docker-proxy -container-ip 172.20.0.2", "root"), ["172.20.0.2"], False),
        (PortOwner(80, 1, "postgres", "root"), ["172.20.0.2"], True),
        (PortOwner(80, 1, "postgres", "root"), [], False),
        (PortOwner(80, 0, "", "root"), ["172.20.0.2", "published:80"], False),
        (PortOwner(80, 0, "", "root"), ["172.20.0.2", "published:8"], True),
    ],
)
def test_whose_port_it_is(owner: PortOwner | None, words: list[str], foreign: bool) -> None:
    assert is_foreign(owner, words) is foreign


def test_the_owner_of_a_port_is_found_where_it_listens(listening: Any) -> None:
    port = listening(INSIDE)
    (user,) = port_users([port], ["echo", "no-word-of-this"]).values()
    assert "pytest" in user["owner"]
    assert user["foreign"] is True
