"""What is to be verified: plain data, with no knowledge of any runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DEFAULT_ROLES = {"api": "api-web", "database": "banco-dados", "cache": "cache-redis"}


@dataclass(frozen=True)
class SeedTask:
    """A task that the schema brings with it."""

    id: int
    title: str
    description: str
    status: str


@dataclass(frozen=True)
class ClosedPort:
    """A port that must not lead to ``service``."""

    host: str
    port: int
    service: str


@dataclass(frozen=True)
class Edge:
    """The proxy through which the API is reached: ``host`` is its name, ``address`` where it is published.

    ``ca_command`` prints the certificates (PEM) to trust besides those of this machine; empty: none.
    """

    host: str
    address: str
    http_port: int
    hsts_seconds: int
    max_body_bytes: int
    ca_command: Sequence[str] = ()


@dataclass(frozen=True)
class Target:
    """A running environment. Command lines are argv lists; times are seconds.

    ``address_command`` prints words that tell this environment's open ports from others', see
    ``port_users.is_foreign``. Without any words every open port is ours.

    ``token`` is sent with every request, where the API asks for one; with ``public_reads`` tasks may be
    read without it.
    """

    environment: str
    runtime: str
    base_url: str
    sql_command: Sequence[str]
    redis_command: Sequence[str]
    seed_tasks: Sequence[SeedTask]
    cache_ttl: int
    expected_services: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sql_environment: Mapping[str, str] = field(default_factory=dict)
    log_commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    closed_ports: Sequence[ClosedPort] = ()
    address_command: Sequence[str] = ()
    edge: Edge | None = None
    schema_version: int | None = None
    roles: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_ROLES))
    deadline: float = 120
    health_wait: float = 60
    token: str = field(default="", repr=False)
    public_reads: bool = True

    def service(self, role: str) -> str:
        """The service that plays ``role``; a service's name stands for itself."""
        return self.roles.get(role, role)
