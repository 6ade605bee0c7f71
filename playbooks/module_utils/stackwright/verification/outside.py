"""Proof from outside of the environment's host: what is published answers there, and nothing else of the stack does.

Published ports pass by a host firewall such as ufw, since Docker's own rules come first: only a look tells.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..secrets.masking import Masker
from .promise import BrokenPromiseError, Finding
from .report import Proof, masked

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
class Door:
    """A port of the host as seen from outside, and whether it is to answer there."""

    service: str
    port: int
    opens: bool

    def __str__(self) -> str:
        return f"{self.service} {self.port}"


def doors(
    published: Iterable[Mapping[str, Any]], closed: Iterable[Mapping[str, Any]], address: str
) -> list[Door]:
    """What is to be seen at ``address``; ports come as ``service``, ``port`` and the ``address`` they are bound to."""
    found = {
        item["port"]: Door(item["service"], item["port"], item["address"] in (ANYWHERE, address))
        for item in published
    }
    for item in closed:
        found.setdefault(item["port"], Door(item["service"], item["port"], False))
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
    """The IPv4 address of a name. Raises BrokenPromiseError."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise _unreachable(name, f"no IPv4 address of that name: {error}") from None
    return str(found[0][4][0])


def _unreachable(name: str, got: str) -> BrokenPromiseError:
    fix = "Set stack_outside_address to an address that reaches the host, or to none to leave this proof out."
    return BrokenPromiseError(f"{name} can be reached from here", got, fix=fix)


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=CONNECT_SECONDS):
            return True
    except OSError:  # refused, filtered, no way there
        return False


def look(name: str, address: str, seen: Sequence[Door], users: Users, control: int = 0) -> Finding:
    """Knock at every door. Raises BrokenPromiseError for one that is not as it is to be.

    Args:
        name: the host as people know it.
        address: where to knock.
        seen: the doors.
        users: tells who has ports of the host, see port_users; asked only about those that should be closed.
        control: a port that has to answer if the host can be reached at all; 0: none.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        ports = [*(door.port for door in seen), *([control] if control else [])]
        answers = dict(
            zip(ports, pool.map(lambda port: _answers(address, port), ports), strict=True)
        )
    if control and not answers[control]:
        raise _unreachable(name, f"port {control}, where SSH is, does not answer")
    for door in seen:
        if door.opens and not answers[door.port]:
            expected = f"{door.service} answers at {address}:{door.port}"
            raise BrokenPromiseError(expected, "no connection", role=door.service, fix=PASS)
    foreign = _refuse_open(address, [d for d in seen if not d.opens and answers[d.port]], users)
    opened = [str(door) for door in seen if door.opens]
    closed = [str(door) for door in seen if not answers[door.port]]
    text = (
        f"{address}: {', '.join(opened) or 'nothing'} open, {', '.join(closed) or 'nothing'} closed"
    )
    evidence = {"address": address, "open": opened, "closed": closed, "foreign": foreign}
    return Finding("; ".join([text, *foreign]), evidence)


def _refuse_open(address: str, wrong: Sequence[Door], users: Users) -> list[str]:
    """Those that answer and are somebody else's, in words. Raises BrokenPromiseError for one of ours."""
    if not wrong:
        return []
    known = users([door.port for door in wrong])
    foreign = []
    for door in wrong:
        user = known[str(door.port)]
        owner = f" to {user['owner']}" if user["owner"] else ""
        if not user["foreign"]:
            fix = f"{BIND.format(door.service)} {FIREWALL}"
            expected = f"{door.service} cannot be reached at {address}:{door.port}"
            got = f"a connection succeeds{owner}"
            raise BrokenPromiseError(expected, got, role=door.service, fix=fix)
        foreign.append(f"{door.port} is {user['owner']}, not this environment")
    return foreign


def proof_of(prove: Callable[[], Finding], masker: Masker) -> tuple[Proof, str]:
    """The proof, and what is to be done where it is broken. ``masker`` takes secrets out of both."""
    clock = time.monotonic()
    message = ""
    try:
        finding, ok = prove(), True
    except BrokenPromiseError as broken:
        text = f"expected {broken.expected}; got {broken.got}"
        finding, ok = Finding(text, {"expected": broken.expected, "got": broken.got}), False
        lines = f"expected  {broken.expected}", f"got       {broken.got}", f"to do     {broken.fix}"
        message = masker.text("\n".join(f"  {line}" for line in lines))
    seconds = round(time.monotonic() - clock, 3)
    proof = Proof(NAME, ok, finding.text, seconds, finding.evidence, finding.unknown)
    return masked(proof, masker), message
