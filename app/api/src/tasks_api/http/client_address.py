"""The address of the client behind each request, as far as it can be known.

It is the peer of the connection, except where that is a proxy of ours: then it is what the proxy
says in X-Forwarded-For. A client may send such a header too, so nobody else is believed.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from typing import Any

_LOOK_UP_SECONDS = 1.0

PROXIED = "tasks_api.proxied"
"""Set in the WSGI environment of a request that a proxy of ours passed on."""


class ClientAddresses:
    """Finds the client's address of each request.

    Args:
        proxies: whom to believe: addresses, networks such as 10.0.0.0/8, and host names, which are
            looked up again when an unknown peer comes, for a proxy that is replaced has a new one.
    """

    def __init__(self, proxies: tuple[str, ...]) -> None:
        self._networks = [network for one in proxies if (network := _network(one))]
        self._names = [one for one in proxies if not _network(one)]
        self._known: set[str] = set()
        self._looked_up = float("-inf")
        self._lock = threading.Lock()

    def of(self, environ: dict[str, Any]) -> str:
        """The client's address of a request; empty if there is none. Says whether it is PROXIED."""
        peer = _without_port(environ.get("REMOTE_ADDR") or "")
        client = peer
        if self._trusts(peer):
            environ[PROXIED] = True
            # A proxy appends: what is before the last address is what the client itself said.
            said = environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
            client = said if _network(said) and "/" not in said else peer
        return client

    def _trusts(self, peer: str) -> bool:
        address = _network(peer)
        if not address or not (self._networks or self._names):
            return False
        if any(
            address.version == network.version and address.subnet_of(network)  # type: ignore[arg-type]
            for network in self._networks
        ):
            return True
        if not self._names or address.is_loopback:  # the container's own health check
            return False
        return peer in self._known or self._is_new_proxy(peer)

    def _is_new_proxy(self, peer: str) -> bool:
        with self._lock:
            if time.monotonic() - self._looked_up >= _LOOK_UP_SECONDS:
                self._known = set().union(*map(_addresses, self._names))
                self._looked_up = time.monotonic()
            return peer in self._known


def _addresses(name: str) -> set[str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(address[0]) for *_, address in found}


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _without_port(peer: str) -> str:
    """``10.0.0.1:5000`` and ``[::1]:5000`` → the address alone; an address stays as it is."""
    if peer.startswith("["):
        return peer[1:].partition("]")[0]
    return peer.partition(":")[0] if peer.count(":") == 1 else peer
