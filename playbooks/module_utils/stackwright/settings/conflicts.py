"""What environments on one host must not share: ports, names, volumes, subnets, output folders, and dev's secrets."""

from __future__ import annotations

import hashlib
import ipaddress
import os.path
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from .catalogue import setting_of, volume_names
from .problems import Problem, replacing, vault_of

OWN_NAME = ("stack_project", "stack_network", "stack_output_dir")


@dataclass(frozen=True)
class Claims:
    """What one environment takes on its host. Secrets are kept as digests: only equality is asked.

    ``given`` are the names of variables that the command line (-e) sets for it.
    """

    environment: str
    host: str
    names: dict[str, str]
    ports: dict[int, str]
    containers: frozenset[str]
    subnet: str = ""
    relaxed: bool = False
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    given: frozenset[str] = frozenset()

    def is_given_one_of(self, shared: Sequence[tuple[str, str]]) -> bool:
        """Whether -e sets one of these settings, or the port that the other ports are derived from."""
        names = {setting for setting, _ in shared}
        if names.intersection(self.ports.values()):
            names.add("api_port")
        return not names.isdisjoint(self.given)


def claims_of(
    environment: str,
    values: Mapping[str, Any],
    host: str,
    secrets: Sequence[str],
    given: Collection[str] = (),
) -> Claims:
    """The claims of an environment on ``host``; ``secrets`` are names of secret settings, ``given`` those set with -e.

    ``values`` passed the schema. Settings that are not known, such as secrets in a closed vault, claim nothing.
    """
    services = {
        name: service
        for name, service in values.get("stack_services", {}).items()
        if service["enabled"]
    }
    ports: dict[int, str] = {}
    names = {name: values[name] for name in OWN_NAME if name in values}
    if "stack_output_dir" in names:
        names["stack_output_dir"] = os.path.realpath(names["stack_output_dir"])
    for name, service in services.items():
        own, local = service["host_ports"], service.get("embedded_port")
        if local:
            ports[local] = setting_of(values, local, "_port") or f"embedded_port of {name}"
        behind = setting_of(values, own[0], "_port") if own else ""
        ports |= dict.fromkeys(own, behind or f"host_ports of {name}")
        for key, volume in volume_names(service, values.get("stack_container_prefix", "")).items():
            setting = setting_of(values, volume, "_volume")
            names[setting or f"volume {key} of {name}"] = volume
    prefix = values.get("stack_container_prefix")
    return Claims(
        environment=environment,
        host=host,
        names=names,
        ports=ports,
        containers=frozenset() if prefix is None else frozenset(prefix + name for name in services),
        subnet=values.get("stack_network_subnet", ""),
        relaxed=not values.get("secrets_strict", True),
        secrets={
            name: hashlib.sha256(values[name].encode()).hexdigest()
            for name in secrets
            if name in values
        },
        given=frozenset(given),
    )


def _overlap(one: str, other: str) -> bool:
    """Whether two subnets share an address; empty or invalid ones, refused elsewhere, share none."""
    try:
        return ipaddress.ip_network(one).overlaps(ipaddress.ip_network(other))
    except ValueError:
        return False


def _shared(mine: Claims, theirs: Claims) -> list[tuple[str, str]]:
    found = [
        (name, "has the same value as in")
        for name in mine.names
        if mine.names[name] == theirs.names.get(name)
    ]
    for port in sorted(mine.ports.keys() & theirs.ports.keys()):
        found.append((mine.ports[port], f"takes host port {port}, as {theirs.ports[port]} does in"))
    if mine.containers & theirs.containers:
        found.append(("stack_container_prefix", "gives containers the same names as in"))
    if _overlap(mine.subnet, theirs.subnet):
        found.append(("stack_network_subnet", "overlaps with that of"))
    return found


def _on_one_host(mine: Claims, theirs: Claims) -> tuple[str, list[Problem]]:
    """What two environments of one host share, and the name of the one that should change.

    That is ``mine``, except where the command line changed only ``theirs``: what it set, others may be derived from.
    """
    if not mine.is_given_one_of(_shared(mine, theirs)) and theirs.is_given_one_of(
        _shared(theirs, mine)
    ):
        mine, theirs = theirs, mine
    shared = _shared(mine, theirs)
    where = f"inventories/group_vars/{mine.environment}/"
    if mine.is_given_one_of(shared):
        where = "the command line (-e)"
    return mine.environment, [
        Problem(setting, f"{reason} {theirs.environment}", "give this environment its own", where)
        for setting, reason in shared
    ]


def _known_secrets(strict: Claims, relaxed: Claims) -> list[Problem]:
    """Secrets of an environment with secrets_strict that one without it, such as dev, has too."""
    if strict.relaxed or not relaxed.relaxed:
        return []
    vault = vault_of(strict.environment)
    return [
        Problem(
            name,
            f"is the same as in {relaxed.environment}",
            replacing(strict.environment),
            vault,
        )
        for name, digest in strict.secrets.items()
        if digest in relaxed.secrets.values()
    ]


def conflicts(all_claims: Sequence[Claims], ours: Collection[str]) -> dict[str, list[Problem]]:
    """Conflicts between two environments of which at least one is among ``ours``, by the one that should change.

    That is the one that -e changes, else the later one, but never dev where it meets another: dev keeps the names and
    ports of the seed.
    """
    found: dict[str, list[Problem]] = {}
    for one, other in combinations(all_claims, 2):
        if one.environment not in ours and other.environment not in ours:
            continue
        mine, theirs = (one, other) if other.environment == "dev" else (other, one)
        if mine.host == theirs.host:
            blamed, problems = _on_one_host(mine, theirs)
            found.setdefault(blamed, []).extend(problems)
        for strict, relaxed in ((one, other), (other, one)):
            found.setdefault(strict.environment, []).extend(_known_secrets(strict, relaxed))
    return {environment: problems for environment, problems in found.items() if problems}
