"""The look from outside, at real sockets on two addresses of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from stackwright.diagnosis.ports import PortOwner
from stackwright.runtimes.port_users import is_foreign, port_users
from stackwright.secrets.masking import MASK, Masker
from stackwright.verification import outside
from stackwright.verification.outside import Door, doors, look, looked_up, proof_of
from stackwright.verification.promise import BrokenPromiseError

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
    assert doors(published, closed, OUTSIDE) == [
        Door("edge", 443, True),
        Door("api", 80, True),
        Door("database", 5432, False),
        Door("cache", 6379, False),
    ]


def test_doors_are_as_they_are_to_be(listening: Any) -> None:
    edge, database = (
        Door("edge", listening(OUTSIDE), True),
        Door("database", listening(INSIDE), False),
    )
    found = look("srv", OUTSIDE, [edge, database], nobody, control=edge.port)
    assert found.text == f"{OUTSIDE}: {edge} open, {database} closed"


def test_a_port_past_the_settings_breaks_the_promise_and_says_that_no_firewall_helps(
    listening: Any,
) -> None:
    door = Door("banco-dados", listening(OUTSIDE), False)
    masker = Masker(["redis"])
    proof, message = proof_of(lambda: look("srv", OUTSIDE, [door], owned(False)), masker)
    assert (proof.name, proof.ok) == ("outside", False)
    assert f"banco-dados cannot be reached at {OUTSIDE}:{door.port}" in message
    assert f"a connection succeeds to '{MASK}'" in message
    assert "redis" not in proof.text
    assert "Docker's rules come first" in message


def test_a_port_of_somebody_else_is_told_and_breaks_nothing(listening: Any) -> None:
    door = Door("cache-redis", listening(OUTSIDE), False)
    found = look("srv", OUTSIDE, [door], owned(True))
    told = f"{OUTSIDE}: nothing open, nothing closed; {door.port} is 'redis', not this environment"
    assert found.text == told


def test_a_published_port_that_does_not_answer_breaks_the_promise(listening: Any) -> None:
    door = Door("edge", listening(INSIDE), True)
    with pytest.raises(BrokenPromiseError, match=f"edge answers at {OUTSIDE}"):
        look("srv", OUTSIDE, [door], nobody)


def test_a_host_that_cannot_be_reached_at_all_is_no_proof_of_closed_ports(listening: Any) -> None:
    port = listening(INSIDE)
    with pytest.raises(BrokenPromiseError, match="srv can be reached from here") as broken:
        look("srv", OUTSIDE, [Door("database", 1, False)], nobody, control=port)
    assert "stack_outside_address" in broken.value.fix


def test_names_are_looked_up() -> None:
    assert looked_up("localhost") == "127.0.0.1"
    with pytest.raises(BrokenPromiseError, match="no-such-host.invalid can be reached"):
        looked_up("no-such-host.invalid")


def test_this_machines_own_address_is_not_loopback() -> None:
    address = outside.own_address()
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
