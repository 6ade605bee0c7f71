"""How a Compose environment is asked: argument lists for verification, logs, states and explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...environment import Environment, reachable
from ...secrets.tokens import token_file
from ...service import COMPOSE_SECRETS, Service

LOG_LINES = "50"
# Of all containers of the project, those that the compose file does not know included.
ADDRESSES = (
    'docker ps --quiet --filter "label=com.docker.compose.project=$0"'
    " | xargs -r docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    "{{range .NetworkSettings.Ports}}{{range .}}published:{{.HostPort}} {{end}}{{end}}'"
)
# Compose's own exec reads the whole project first, which takes longer than most of what is asked. The labels are what
# Compose goes by too: a container of that name in another project is not taken for ours.
EXEC = """
id=$(docker ps --quiet --filter "label=com.docker.compose.project=$0" --filter "label=com.docker.compose.service=$1" \
  --filter label=com.docker.compose.oneoff=False) || exit
[ -n "$id" ] || { echo "service $1 is not running" >&2; exit 1; }
shift
exec docker exec "$id" "$@"
"""
# Where the edge's container has the certificates that clients must trust.
AUTHORITIES = {
    "internal": "/data/caddy/pki/authorities/local/root.crt",
    "acme": f"{COMPOSE_SECRETS}/acme_ca",
    "files": f"{COMPOSE_SECRETS}/tls_certificate",
}
CADDY_VERSION = "caddy version | cut -d ' ' -f 1 | tr -d v"


def compose(output_dir: str, *words: str) -> list[str]:
    """``docker compose`` on the rendered file, from any working directory."""
    return ["docker", "compose", "--file", f"{output_dir}/docker-compose.yml", *words]


def inside(project: str, service: str, *words: str) -> list[str]:
    """A command in the running container of a service that has one."""
    return ["sh", "-c", EXEC, project, service, *words]


def evidence_commands(
    output_dir: str, services: Sequence[str], since: float = 0.0
) -> dict[str, list[str]]:
    """What tells why something failed: states, then the last log lines of each service, newer than ``since``."""
    newer = ("--since", f"{since:.3f}") if since else ()
    states = (
        'docker compose --file "$0/docker-compose.yml" ps --all --quiet'
        " | xargs -r docker inspect --format '{{json .}}'"
    )
    return {"states": ["sh", "-c", states, output_dir]} | {
        f"log of {name}": compose(
            output_dir, "logs", "--no-color", "--no-log-prefix", "--tail", LOG_LINES, *newer, name
        )
        for name in services
    }


def redis_cli(cache: Service, user: str) -> list[str]:
    """redis-cli in its container, as the user of the API; the password goes from its file to standard input."""
    port = str(cache.port)
    if user == "default":
        return ["redis-cli", "-p", port]
    script = f'exec redis-cli -p "$0" --user "$@" <{COMPOSE_SECRETS}/cache_password'
    return ["sh", "-c", script, port, user, "--askpass"]


def edge_access(
    environment: Environment, edge: Service, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """How the API is reached through the edge: ``edge`` for verification, ``private_ca`` to be trusted."""
    tls = settings["edge_tls"]
    has_authority = tls != "acme" or "acme_ca" in edge.files
    cat = inside(environment.project, edge.name, "cat", AUTHORITIES[tls])
    return {
        "edge": {
            "host": settings["edge_host"],
            "address": reachable(edge.published[0].address),
            "http_port": edge.published[0].first,
            "hsts_seconds": settings["edge_hsts_seconds"],
            "max_body_bytes": settings["api_max_body_bytes"],
            "ca_command": cat if has_authority else [],
        },
        "private_ca": tls == "internal",
    }


def access(environment: Environment, settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the environment is reached, in the terms of the module verify_environment.

    psql and redis-cli run inside their containers: nothing is published and no password is passed.
    """
    project = environment.project
    versions: dict[str, list[str]] = {}
    found: dict[str, Any] = {"sql": [], "redis": []}
    if api := environment.of_role("api"):
        versions[api.name] = []
    if database := environment.of_role("database"):
        user, name = settings["db_user"], settings["db_name"]
        words = ("psql", "-U", user, "-d", name, "-X", "-A", "-t", "-q", "-c")
        found["sql"] = inside(project, database.name, *words)
        versions[database.name] = [*found["sql"], "show server_version"]
    if cache := environment.of_role("cache"):
        found["redis"] = inside(project, cache.name, *redis_cli(cache, settings["cache_user"]))
        versions[cache.name] = [*found["redis"], "INFO", "server"]
    if edge := environment.of_role("proxy"):
        versions[edge.name] = inside(project, edge.name, "sh", "-c", CADDY_VERSION)
        found |= edge_access(environment, edge, settings)
    folder = f"{environment.output}/secrets/{api.name if api else ''}"
    return found | {
        "url": environment.url,
        "versions": versions,
        "closed_ports": environment.closed_ports,
        "published": environment.published,
        # Docker's proxy of a published port has the container's address in its command line.
        "addresses": ["sh", "-c", ADDRESSES, project],
        "token_file": token_file(settings["api_tokens"], folder),
    }
