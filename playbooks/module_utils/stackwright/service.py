"""A service of an environment, computed from its entry in the catalogue and from what the runtime decides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .images.references import Image
from .secrets.tokens import PREFIX as TOKEN
from .secrets.tokens import token_files
from .settings.catalogue import TOKENS_VARIABLE, volume_names

LOOPBACK = "127.0.0.1"
COMPOSE_SECRETS = "/run/secrets"
PLACEHOLDER = re.compile(r"\{(address|port|data|secrets)\}")


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
    command: tuple[str, ...]
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

    def words(self, data: str, secrets: str = COMPOSE_SECRETS) -> list[str]:
        """Its command, as it is where its data and its secrets are in these folders."""
        address = LOOPBACK if self.host == LOOPBACK else "0.0.0.0"
        given = {"address": address, "port": str(self.port), "data": data, "secrets": secrets}
        return [PLACEHOLDER.sub(lambda found: given[found[1]], word) for word in self.command]

    @property
    def secret_files(self) -> list[Secret]:
        """The secrets that are files."""
        return [secret for secret in self.secrets if secret.is_file]


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


def service_of(
    name: str,
    values: Mapping[str, Any],
    image: Image,
    embedded: bool,
    addresses: Mapping[str, tuple[str, int]],
) -> Service:
    """The service of a catalogue entry; ``addresses`` are host and port of those that the runtime has."""
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
        volumes=tuple(
            Volume(key, docker_name, entry["volumes"][key]["folder"])
            for key, docker_name in volume_names(entry, values["stack_container_prefix"]).items()
        ),
        memory_folders=entry.get("memory_folders", {}),
        configuration=entry.get("configuration", ""),
        environment=_environment(entry, port, addresses),
        secrets=_secrets(entry, values),
        tokens=values["api_tokens"] if entry.get("role") == "api" else {},
        files=entry.get("files", {}),
        health_test=tuple(entry["health_test"]),
        command=tuple(entry.get("command", ())),
        stop_signal=entry.get("stop_signal", "TERM"),
        grace_seconds=entry["grace_seconds"],
        limits=Limits(**limits),
        reload=tuple(entry.get("reload", ())),
    )
