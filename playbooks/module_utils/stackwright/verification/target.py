"""What is to be verified: plain data, with no knowledge of any runtime.

It is made on the controller by ``target_of``, and goes to the host as ``dataclasses.asdict`` has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
class DeclaredCheck:
    """A request to the application and what it has to answer, as the setting app_checks says.

    ``body`` and ``json`` are plain data; None: not sent, not looked at. ``text`` is looked at unless it is empty.
    """

    name: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 200
    json: Any = None
    text: str = ""


@dataclass(frozen=True)
class Application:
    """What is asked for its proofs: the tasks API, or another one (``own``) that promises its health and ``checks``."""

    folder: str = "app/api"
    own: bool = False
    health_path: str = "/livez"
    checks: Sequence[DeclaredCheck] = ()


@dataclass(frozen=True)
class Target:
    """A running environment. Command lines are argv lists; times are seconds.

    ``address_command`` prints words that tell this environment's open ports from others', see
    ``diagnosis.ports.is_foreign``. Without any words every open port is ours.

    ``token``, which is in ``token_file``, is sent with every request, where the API asks for one; with ``public_reads``
    tasks may be read without it.

    ``folder`` is the environment's. ``published`` has ports of the host with service and the address they are bound to.
    """

    environment: str
    runtime: str
    base_url: str
    sql_command: Sequence[str]
    redis_command: Sequence[str]
    seed_tasks: Sequence[SeedTask]
    cache_ttl: int
    expected_services: Mapping[str, Sequence[str]] = field(default_factory=dict)
    log_commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    closed_ports: Sequence[ClosedPort] = ()
    address_command: Sequence[str] = ()
    edge: Edge | None = None
    schema_version: int | None = None
    roles: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_ROLES))
    deadline: float = 120
    health_wait: float = 60
    token_file: str = ""
    token: str = field(default="", repr=False)
    public_reads: bool = True
    folder: str = ""
    published: Sequence[Mapping[str, Any]] = ()
    application: Application = Application()

    def service(self, role: str) -> str:
        """The service that plays ``role``; a service's name stands for itself."""
        return self.roles.get(role, role)


def target_of(stack: Mapping[str, Any], seed_tasks: Sequence[Mapping[str, Any]]) -> Target:
    """The target that a rendered environment is, by the fact ``_stack`` (see actions.stack_facts)."""
    access, settings = stack["access"], stack["settings"]
    own = settings["app_kind"] == "own"
    return Target(
        environment=stack["environment"],
        runtime=stack["runtime"],
        folder=stack["output_dir"],
        base_url=access["url"],
        sql_command=access["sql"],
        redis_command=access["redis"],
        # Another application need not tell its version as the tasks API does.
        expected_services={
            name: words for name, words in access["versions"].items() if words or not own
        },
        log_commands=stack["logs"],
        published=access["published"],
        closed_ports=[ClosedPort("127.0.0.1", **port) for port in access["closed_ports"]],
        address_command=access["addresses"],
        edge=Edge(**access["edge"]) if access.get("edge") else None,
        token_file=access["token_file"],
        public_reads=settings["api_public_reads"],
        seed_tasks=[SeedTask(**task) for task in seed_tasks],
        cache_ttl=settings["cache_ttl_seconds"],
        health_wait=settings["stack_verify_timeout_seconds"],
        application=Application(
            folder=settings["app_folder"],
            own=own,
            health_path=settings["app_health_path"],
            checks=[DeclaredCheck(**check) for check in settings["app_checks"]],
        ),
    )


def target_from(plain: Mapping[str, Any]) -> Target:
    """The reverse of ``dataclasses.asdict``. Raises TypeError for what is no target."""
    parts: dict[str, Any] = {
        "closed_ports": [ClosedPort(**port) for port in plain["closed_ports"]],
        "edge": Edge(**plain["edge"]) if plain["edge"] else None,
        "seed_tasks": [SeedTask(**task) for task in plain["seed_tasks"]],
        "application": Application(
            **{
                **plain["application"],
                "checks": [DeclaredCheck(**one) for one in plain["application"]["checks"]],
            }
        ),
    }
    return Target(**{**plain, **parts})
