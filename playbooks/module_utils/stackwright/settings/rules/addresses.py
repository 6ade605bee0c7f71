"""Rules of addresses and networks: what looks like an address and can be none, and names that Docker has taken."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

Problems = list[tuple[str, str, str]]
# Networks that every engine has, and words that stand for another kind of network.
TAKEN_NAMES = {"bridge", "default", "docker_gwbridge", "host", "ingress", "none"}
# This host, loopback, link-local, multicast, reserved (RFC 6890).
UNFIT = [
    ipaddress.IPv4Network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
]
ANYWHERE, LARGEST = "0.0.0.0", 8
# The network's own address, its broadcast address, and the gateway.
NOT_FOR_CONTAINERS = 3
PRIVATE = "take a free private network, such as 172.30.0.0/24"


def address_problems(values: Mapping[str, Any]) -> Problems:
    """(setting, reason, fix) each."""
    found = _bound("api_bind_address", values["api_bind_address"])
    found += _bound("edge_bind_address", values["edge_bind_address"])
    for name, service in values["stack_services"].items():
        if address := service.get("host_address"):
            if address not in (values["api_bind_address"], values["edge_bind_address"]):
                found += _bound(f"stack_services.{name}.host_address", address)
        elif service["enabled"] and service["host_ports"]:
            reason = "takes host ports and does not say at which address (host_address)"
            fix = "add host_address: 127.0.0.1 for this machine only, or 0.0.0.0 for everybody"
            found.append((f"stack_services.{name}", reason, fix))
    if values["stack_network"] in TAKEN_NAMES:
        reason = "is a name that Docker has taken for a network of its own"
        found.append(("stack_network", reason, "take another, such as shop-network"))
    if values["stack_network_subnet"]:
        found += _subnet(values)
    return found


def _bound(setting: str, text: str) -> Problems:
    """Problems of an address that ports are published on."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return [(setting, "is no valid IPv4 form", "correct it, for example 127.0.0.1")]
    this_host, *_, multicast, reserved = UNFIT
    if text != ANYWHERE and any(address in unfit for unfit in (this_host, multicast, reserved)):
        reason = "is an address that no machine can have"
        return [(setting, reason, "take 127.0.0.1, 0.0.0.0 or an address of the host")]
    return []


def _subnet(values: Mapping[str, Any]) -> Problems:
    setting = "stack_network_subnet"
    try:
        subnet = ipaddress.IPv4Network(values[setting])
    except ValueError:
        return [(setting, "is no valid IPv4 form", "correct it, for example 172.30.0.0/24")]
    if any(subnet.overlaps(unfit) for unfit in UNFIT):
        reason = "has addresses that no container can have: this host's, loopback, link-local, multicast or reserved"
        return [(setting, reason, PRIVATE)]
    if subnet.prefixlen < LARGEST:
        return [(setting, f"is larger than a /{LARGEST}", PRIVATE)]
    services = {name for name, entry in values["stack_services"].items() if entry["enabled"]}
    needed = len(services) + ("api-web" in services) * (values["api_replicas"] - 1)
    room = max(0, subnet.num_addresses - NOT_FOR_CONTAINERS)
    if room < needed:
        reason = f"has room for {room} containers, and the environment has {needed}"
        return [(setting, reason, "take a larger one, such as a /24")]
    return []
