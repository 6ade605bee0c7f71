"""Rules of addresses, networks and the proxy, whose certificate must fit its key before anything is started."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

from .folders import ca_bundle_problems, unreadable

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
    enabled = [entry for entry in values["stack_services"].values() if entry["enabled"]]
    needed = sum(entry.get("replicas", 1) for entry in enabled)
    room = max(0, subnet.num_addresses - NOT_FOR_CONTAINERS)
    if room < needed:
        reason = f"has room for {room} containers, and the environment has {needed}"
        return [(setting, reason, "take a larger one, such as a /24")]
    return []


def edge_problems(values: Mapping[str, Any]) -> Problems:
    """(setting, reason, fix) each; none where there is no edge."""
    if not values["edge_enabled"]:
        return []
    found: Problems = []
    if values["edge_volume"] == values["db_volume"]:
        found.append(("edge_volume", "is the database's volume, db_volume", "name another one"))
    if values["edge_tls"] == "acme":
        found += _issuer(values)
    if values["edge_tls"] == "files":
        found += _pair(values["edge_tls_certificate_file"], values["edge_tls_key_file"])
    return found


def _issuer(values: Mapping[str, Any]) -> Problems:
    host, authority = values["edge_host"], values["edge_acme_ca_file"]
    found: Problems = []
    if _is_address(host) or "." not in host or host.endswith(".localhost"):
        reason = "is no name that an ACME issuer could reach, and edge_tls is acme"
        found.append(("edge_host", reason, "set it to the environment's name in the DNS"))
    if authority:
        found += ca_bundle_problems("edge_acme_ca_file", authority)
    return found


def _pair(certificate: str, key: str) -> Problems:
    named = {"edge_tls_certificate_file": certificate, "edge_tls_key_file": key}
    found = [
        (name, trouble, "name a PEM file on this machine that this user can read")
        for name, path in named.items()
        if (trouble := unreadable(path))
    ]
    if found:
        return found
    try:
        # A key with a password would ask for it: an empty one is refused at once.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        reason = (
            "and edge_tls_key_file are no certificate in PEM form and its key without a password"
        )
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            reason = "is not for the key in edge_tls_key_file"
        fix = "give the certificate with its chain, and the key that it was made with"
        return [("edge_tls_certificate_file", reason, fix)]
    return []


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
