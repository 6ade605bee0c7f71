"""The check from outside of the environment's host: what is published answers there, and nothing else of it does.

Published ports pass by a host firewall such as ufw, since Docker's own rules come first: only trying tells.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..secrets.masking import Masker
from .report import CheckFailed, Finding, Result, result_of

NAME = "outside"
ANYWHERE = "0.0.0.0"
CONNECT_SECONDS = 3.0
# An address for documentation (RFC 5737): choosing a route to it sends nothing.
_FAR_AWAY = ("192.0.2.1", 9)
PASS = "Let the port through what filters the network before the host, or bind it to 127.0.0.1."
BIND = "Publish no port for {}, or bind it to 127.0.0.1."
FIREWALL = "A firewall on the host does not close it: Docker's rules come first."
Users = Callable[[list[int]], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Port:
    """A port of the host as seen from outside, and whether it is to answer there."""

    service: str
    number: int
    opens: bool

    def __str__(self) -> str:
        return f"{self.service} {self.number}"


def ports_of(
    published: Iterable[Mapping[str, Any]], closed: Iterable[Mapping[str, Any]], address: str
) -> list[Port]:
    """What is to be seen at ``address``; ports come as ``service``, ``port`` and the ``address`` they are bound to."""
    found = {
        item["port"]: Port(item["service"], item["port"], item["address"] in (ANYWHERE, address))
        for item in published
    }
    for item in closed:
        found.setdefault(item["port"], Port(item["service"], item["port"], False))
    return list(found.values())


def own_address() -> str:
    """The IPv4 address by which this machine goes to others; empty where it has none but loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_FAR_AWAY)
        except OSError:
            return ""
        address = str(probe.getsockname()[0])
    return "" if address.startswith("127.") else address


def looked_up(name: str) -> str:
    """The IPv4 address of a name. Raises CheckFailed."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise _unreachable(name, f"no IPv4 address of that name: {error}") from None
    return str(found[0][4][0])


def _unreachable(name: str, got: str) -> CheckFailed:
    fix = "Set stack_outside_address to an address that reaches the host, or to none to leave this check out."
    return CheckFailed(f"{name} can be reached from here", got, fix=fix)


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=CONNECT_SECONDS):
            return True
    except OSError:  # refused, filtered, no way there
        return False


def check_ports(
    name: str, address: str, ports: Sequence[Port], users: Users, control: int = 0
) -> Finding:
    """Try to connect to every port. Raises CheckFailed for one that is not as it is to be.

    Args:
        name: the host as people know it.
        address: where to connect.
        ports: what is to be seen there.
        users: tells who has ports of the host, see diagnosis.ports; asked only about those that should be closed.
        control: a port that has to answer if the host can be reached at all; 0: none.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        numbers = [*(port.number for port in ports), *([control] if control else [])]
        answers = dict(
            zip(numbers, pool.map(lambda number: _answers(address, number), numbers), strict=True)
        )
    if control and not answers[control]:
        raise _unreachable(name, f"port {control}, where SSH is, does not answer")
    for port in ports:
        if port.opens and not answers[port.number]:
            expected = f"{port.service} answers at {address}:{port.number}"
            raise CheckFailed(expected, "no connection", role=port.service, fix=PASS)
    foreign = _refuse_open(
        address, [one for one in ports if not one.opens and answers[one.number]], users
    )
    opened = [str(port) for port in ports if port.opens]
    closed = [str(port) for port in ports if not answers[port.number]]
    text = (
        f"{address}: {', '.join(opened) or 'nothing'} open, {', '.join(closed) or 'nothing'} closed"
    )
    evidence = {"address": address, "open": opened, "closed": closed, "foreign": foreign}
    return Finding("; ".join([text, *foreign]), evidence)


def _refuse_open(address: str, wrong: Sequence[Port], users: Users) -> list[str]:
    """Those that answer and are somebody else's, in words. Raises CheckFailed for one of ours."""
    if not wrong:
        return []
    known = users([port.number for port in wrong])
    foreign = []
    for port in wrong:
        user = known[str(port.number)]
        owner = f" to {user['owner']}" if user["owner"] else ""
        if not user["foreign"]:
            fix = f"{BIND.format(port.service)} {FIREWALL}"
            expected = f"{port.service} cannot be reached at {address}:{port.number}"
            got = f"a connection succeeds{owner}"
            raise CheckFailed(expected, got, role=port.service, fix=fix)
        foreign.append(f"{port.number} is {user['owner']}, not this environment")
    return foreign


def check(run: Callable[[], Finding], masker: Masker) -> tuple[Result, str]:
    """The result, and what is to be done where it failed. ``masker`` takes secrets out of both."""
    result, failed = result_of(NAME, run)
    message = ""
    if failed:
        lines = f"expected  {failed.expected}", f"got       {failed.got}", f"to do     {failed.fix}"
        message = masker.text("\n".join(f"  {line}" for line in lines))
    return result.masked(masker), message
