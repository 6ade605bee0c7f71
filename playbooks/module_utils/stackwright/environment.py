"""The environment that the settings describe, computed once: templates, runtimes and verification read it.

Made of plain data without asking anything: the same settings are the same environment. What a service is stands in its
entry of the catalogue, inventories/group_vars/all/services.yml; here it is put together with what the runtime decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .images.references import Image
from .layout import Place
from .service import LOOPBACK, Service, Volume, service_of
from .settings.catalogue import start_order

ANYWHERE = "0.0.0.0"
HTTPS = 443


@dataclass(frozen=True)
class Network:
    """A network of containers. One that is ``internal`` has no way out of the environment."""

    key: str
    name: str
    internal: bool
    subnet: str = ""


@dataclass(frozen=True)
class Environment:
    """An environment in one runtime: ``services`` are those that the runtime has, in start order.

    ``output`` and ``sources`` are folders of its host, ``reports`` is one of this machine, see ``layout.Place``.
    ``url`` is where the host reaches the API, without a slash at the end; empty where there is none.
    """

    name: str
    project: str
    runtime: str
    output: str
    sources: str
    reports: str
    remote: bool
    url: str
    services: tuple[Service, ...]
    networks: tuple[Network, ...]

    def __getitem__(self, name: str) -> Service:
        """A service by its name. Raises KeyError."""
        return {service.name: service for service in self.services}[name]

    def of_role(self, role: str) -> Service | None:
        """The first service with a role."""
        return next((service for service in self.services if service.role == role), None)

    @property
    def roles(self) -> dict[str, str]:
        """The name of the service that has each role."""
        return {one.role: one.name for one in reversed(self.services) if one.role}

    @property
    def volumes(self) -> list[Volume]:
        """Those of all services."""
        return [volume for service in self.services for volume in service.volumes]

    @property
    def published(self) -> list[dict[str, Any]]:
        """Every port of the host that leads to a service: ``service``, ``port``, ``address``."""
        return [
            {"service": service.name, "port": port, "address": published.address}
            for service in self.services
            for published in service.published
            for port in published.ports
        ]

    @property
    def closed_ports(self) -> list[dict[str, Any]]:
        """Every port of the host that must not lead to a service: ``service``, ``port``."""
        return [
            {"service": service.name, "port": port}
            for service in self.services
            for port in service.closed_ports
        ]

    def as_dict(self) -> dict[str, Any]:
        """As plain data, without secrets, for facts and reports."""
        found = asdict(self)
        for service in found["services"]:
            for secret in service["secrets"]:
                del secret["value"]
        more = ("roles", "published", "closed_ports")
        return found | {name: getattr(self, name) for name in more}


def reachable(bound: str, loopback: str = LOOPBACK) -> str:
    """What the host itself connects to for what is published on the address ``bound``."""
    return loopback if bound in (ANYWHERE, LOOPBACK) else bound


def _networks(values: Mapping[str, Any]) -> tuple[Network, ...]:
    """One for all, or with an edge one that it shares with the API and one that leads out, which it has alone."""
    name, edge = values["stack_network"], values["edge_enabled"]
    backend = Network("backend", name, internal=edge, subnet=values["stack_network_subnet"])
    if not edge:
        return (backend,)
    return (
        backend,
        Network("edge", f"{name}-edge", internal=True),
        Network("public", f"{name}-public", internal=False),
    )


def _url(services: tuple[Service, ...], values: Mapping[str, Any], embedded: bool) -> str:
    roles = {service.role: service for service in services if service.published}
    if "proxy" in roles:
        port = roles["proxy"].published[-1].first
        return f"https://{values['edge_host']}" + ("" if port == HTTPS else f":{port}")
    if "api" not in roles:
        return ""
    published = roles["api"].published[0]
    return f"http://{reachable(published.address, 'localhost')}:{published.first}"


def environment_of(
    values: Mapping[str, Any], images: Mapping[str, Image], place: Place, runtime: str
) -> Environment:
    """The environment that validated settings describe, in ``runtime``, compose or embedded.

    Args:
        values: the settings by name, as ``settings.resolve`` has checked them.
        images: the image of every enabled service.
        place: where its files are.
        runtime: what runs it. Embedded has the services whose entry has an ``embedded_port``.
    """
    embedded = runtime == "embedded"
    entries = values["stack_services"]
    names = [
        name for name in start_order(entries) if not embedded or "embedded_port" in entries[name]
    ]
    addresses = {
        name: (LOOPBACK, entries[name]["embedded_port"])
        if embedded
        else (name, next(iter(entries[name].get("container_ports", ())), 0))
        for name in names
    }
    services = tuple(service_of(name, values, images[name], embedded, addresses) for name in names)
    return Environment(
        name=values["stack_environment"],
        project=values["stack_project"],
        runtime=runtime,
        output=str(place.output),
        sources=str(place.sources),
        reports=str(place.reports),
        remote=place.remote,
        url=_url(services, values, embedded),
        services=services,
        networks=_networks(values),
    )
