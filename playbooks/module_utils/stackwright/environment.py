"""The environment that the settings describe, computed once: templates, runtimes and verification read it.

Made of plain data without asking anything: the same settings are the same environment. What a service is stands in its
entry of the catalogue, inventories/group_vars/all/services.yml; here it is put together with what the runtime decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .images.references import Image
from .layout import Place
from .secrets.tokens import PREFIX as TOKEN
from .secrets.tokens import token_files
from .settings.catalogue import start_order

LOOPBACK, ANYWHERE = "127.0.0.1", "0.0.0.0"
COMPOSE_SECRETS = "/run/secrets"
# Lists the files of the API's tokens.
TOKENS_VARIABLE = "API_TOKENS_FILE"
HTTPS = 443


@dataclass(frozen=True)
class Published:
    """Ports of the host, ``first`` to ``last``, that lead to one port of a service's containers."""

    address: str
    first: int
    last: int
    container_port: int

    @property
    def ports(self) -> range:
        """Each of them."""
        return range(self.first, self.last + 1)

    def __str__(self) -> str:
        """As Compose writes it."""
        ports = f"{self.first}-{self.last}" if self.last > self.first else str(self.first)
        return f"{self.address}:{ports}:{self.container_port}"


@dataclass(frozen=True)
class Volume:
    """Data that outlive a container: ``key`` in the Compose file, ``name`` for Docker, ``folder`` in the container."""

    key: str
    name: str
    folder: str


@dataclass(frozen=True)
class Network:
    """A network of containers. One that is ``internal`` has no way out of the environment."""

    key: str
    name: str
    internal: bool
    subnet: str = ""


@dataclass(frozen=True)
class Secret:
    """A secret that a service reads: as a file of its ``name``, or as the value of ``variable``.

    A file may have a variable too, ``<variable>_FILE``, which tells where it is.
    """

    name: str
    variable: str
    is_file: bool
    value: str = field(repr=False)


@dataclass(frozen=True)
class Limits:
    """What each container of a service may use: ``cpus`` in processors, ``memory`` such as ``256m``."""

    memory: str
    cpus: float
    pids: int
    open_files: int


@dataclass(frozen=True)
class Service:
    """A service as others see it and as it is run. Times are seconds, ``memory_folders`` are MiB by path.

    ``host`` and ``port`` are where the environment's other services reach it. ``closed_ports`` are those at which it
    must not answer on the host, ``published`` those at which it does. ``environment`` has all variables but what tells
    of secrets; see ``variables``.
    """

    name: str
    role: str
    title: str
    image: Image
    needs: tuple[str, ...]
    user: str
    host: str
    port: int
    container_ports: tuple[int, ...]
    published: tuple[Published, ...]
    closed_ports: tuple[int, ...]
    networks: tuple[str, ...]
    replicas: int
    volumes: tuple[Volume, ...]
    memory_folders: Mapping[str, int]
    configuration: str
    environment: Mapping[str, str]
    secrets: tuple[Secret, ...]
    tokens: Mapping[str, str]
    files: Mapping[str, str]
    health_test: tuple[str, ...]
    stop_signal: str
    grace_seconds: int
    limits: Limits
    reload: tuple[str, ...]

    def variables(self, folder: str = COMPOSE_SECRETS) -> dict[str, str]:
        """Everything that the service is given by variables, by name; its secrets are files below ``folder``."""
        found = dict(self.environment)
        for secret in self.secrets:
            if secret.variable and secret.is_file:
                found[f"{secret.variable}_FILE"] = f"{folder}/{secret.name}"
            elif secret.variable:
                found[secret.variable] = secret.value
        if self.tokens:
            found[TOKENS_VARIABLE] = token_files(self.tokens, folder)
        return dict(sorted(found.items()))

    @property
    def secret_files(self) -> list[Secret]:
        """The secrets that are files."""
        return [secret for secret in self.secrets if secret.is_file]


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


def setting_of(values: Mapping[str, Any], value: Any, ending: str) -> str:
    """The setting, of those whose names have this ending, that a value of the catalogue comes from; empty: none."""
    named = (name for name, given in values.items() if name.endswith(ending) and given == value)
    return next(named, "")


def volumes_of(entry: Mapping[str, Any], prefix: str) -> tuple[Volume, ...]:
    """The volumes of a catalogue entry; one without a name is called as its key, with the environment's prefix."""
    return tuple(
        Volume(key, volume.get("name", f"{prefix.replace('-', '_')}{key}"), volume["folder"])
        for key, volume in entry.get("volumes", {}).items()
    )


def variables_of(entry: Mapping[str, Any]) -> set[str]:
    """The names of all variables that a catalogue entry can give its service, but for those that people add."""
    names = {*entry.get("environment", {}), entry.get("port_variable", "")}
    for variables in entry.get("environment_with", {}).values():
        names |= variables.keys()
    for prefix in entry.get("connections", {}):
        names |= {f"{prefix}_HOST", f"{prefix}_PORT"}
    if isinstance(entry["secrets"], Mapping):
        names |= set(entry["secrets"].values())
    if entry.get("role") == "api":
        names.add(TOKENS_VARIABLE)
    return names - {""}


def variable_text(value: Any) -> str:
    """A setting as a variable: yes and no in lower case, lists with spaces between, what is not set empty."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _published(entry: Mapping[str, Any], replicas: int) -> tuple[Published, ...]:
    """Replicas share the first port of the containers, each with a port of the host of its own."""
    ports, inner = entry["host_ports"], entry.get("container_ports", [])
    address = entry.get("host_address", LOOPBACK)
    if not ports:
        return ()
    if replicas > 1:
        return (Published(address, ports[0], ports[-1], inner[0]),)
    pairs = zip(ports, inner, strict=True)
    return tuple(Published(address, port, port, target) for port, target in pairs)


def _environment(
    entry: Mapping[str, Any], port: int, addresses: Mapping[str, tuple[str, int]]
) -> dict[str, str]:
    """The variables of a service that have no secret; what is empty is left out, but for what people added."""
    found: dict[str, Any] = dict(entry.get("environment", {}))
    for other, variables in entry.get("environment_with", {}).items():
        found |= variables if other in addresses else {}
    for prefix, other in entry.get("connections", {}).items():
        if other in addresses:
            found[f"{prefix}_HOST"], found[f"{prefix}_PORT"] = addresses[other]
    if "port_variable" in entry:
        found[entry["port_variable"]] = port
    texts = {name: variable_text(value) for name, value in found.items()}
    added: Mapping[str, str] = entry.get("extra_environment", {})
    return {**{name: text for name, text in texts.items() if text}, **added}


def _secrets(entry: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[Secret, ...]:
    """Tokens are files whatever the delivery."""
    given = entry["secrets"]
    variables = given if isinstance(given, Mapping) else dict.fromkeys(given, "")
    by_file = values["secrets_delivery"] == "file"
    return tuple(
        Secret(name, variable, by_file or name.startswith(TOKEN), str(values[name]))
        for name, variable in variables.items()
    )


def _service(
    name: str,
    values: Mapping[str, Any],
    image: Image,
    embedded: bool,
    addresses: Mapping[str, tuple[str, int]],
) -> Service:
    entry = values["stack_services"][name]
    inner = tuple(entry.get("container_ports", ()))
    host, port = addresses[name]
    replicas = 1 if embedded else entry.get("replicas", 1)
    limits = {"open_files": values["stack_open_files"], **entry["limits"]}
    closed = entry.get("closed_ports", () if entry["host_ports"] else inner)
    if embedded:  # nothing but 127.0.0.1 is listened on, and there all is open
        published: tuple[Published, ...] = (Published(LOOPBACK, port, port, port),)
        closed = ()
    else:
        published = _published(entry, replicas)
    return Service(
        name=name,
        role=entry.get("role", ""),
        title=entry["title"],
        image=image,
        needs=tuple(entry["needs"]),
        user=entry["user"],
        host=host,
        port=port,
        container_ports=inner,
        published=published,
        closed_ports=tuple(closed),
        networks=tuple(entry.get("networks", ["backend"])),
        replicas=replicas,
        volumes=volumes_of(entry, values["stack_container_prefix"]),
        memory_folders=entry.get("memory_folders", {}),
        configuration=entry.get("configuration", ""),
        environment=_environment(entry, port, addresses),
        secrets=_secrets(entry, values),
        tokens=values["api_tokens"] if entry.get("role") == "api" else {},
        files=entry.get("files", {}),
        health_test=tuple(entry["health_test"]),
        stop_signal=entry.get("stop_signal", "TERM"),
        grace_seconds=entry["grace_seconds"],
        limits=Limits(**limits),
        reload=tuple(entry.get("reload", ())),
    )


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
    services = tuple(_service(name, values, images[name], embedded, addresses) for name in names)
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
