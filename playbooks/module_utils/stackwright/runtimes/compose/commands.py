"""How a Compose environment is asked: argument lists for verification, logs, states and explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...secrets.tokens import token_file

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
    "acme": "/run/secrets/acme_ca",
    "files": "/run/secrets/tls_certificate",
}
CADDY_VERSION = "caddy version | cut -d ' ' -f 1 | tr -d v"
SETTINGS_OF_INNER_PORTS = {"banco-dados": "db_port", "cache-redis": "cache_port"}


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


def redis_cli(settings: Mapping[str, Any]) -> list[str]:
    """redis-cli in its container, as the user of the API; the password goes from its file to standard input."""
    port, user = str(settings["cache_port"]), settings["cache_user"]
    if user == "default":
        return ["redis-cli", "-p", port]
    script = 'exec redis-cli -p "$0" --user "$@" </run/secrets/cache_password'
    return ["sh", "-c", script, port, user, "--askpass"]


def _reachable(bound: str, loopback: str) -> str:
    """What to connect to for what is published on the address ``bound``."""
    return loopback if bound in ("0.0.0.0", "127.0.0.1") else bound


def edge_access(settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the API is reached through the edge: ``url``, ``edge`` for verification, ``private_ca`` to be trusted."""
    project, port = settings["stack_project"], settings["edge_https_port"]
    authority = AUTHORITIES[settings["edge_tls"]]
    if settings["edge_tls"] == "acme" and not settings["edge_acme_ca_file"]:
        authority = ""
    found: dict[str, Any] = {
        "url": f"https://{settings['edge_host']}" + ("" if port == 443 else f":{port}"),
        "edge": {
            "host": settings["edge_host"],
            "address": _reachable(settings["edge_bind_address"], "127.0.0.1"),
            "http_port": settings["edge_http_port"],
            "hsts_seconds": settings["edge_hsts_seconds"],
            "max_body_bytes": settings["api_max_body_bytes"],
            "ca_command": inside(project, "edge", "cat", authority) if authority else [],
        },
        "versions": {"edge": inside(project, "edge", "sh", "-c", CADDY_VERSION)},
    }
    if settings["edge_tls"] == "internal":
        found["private_ca"] = True
    return found


def access(output_dir: str, services: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the environment is reached, in the terms of the module verify_environment.

    psql and redis-cli run inside their containers: nothing is published and no password is passed.
    """
    psql = [
        "psql",
        "-U",
        settings["db_user"],
        "-d",
        settings["db_name"],
        "-X",
        "-A",
        "-t",
        "-q",
        "-c",
    ]
    project = settings["stack_project"]
    sql = inside(project, "banco-dados", *psql)
    redis = inside(project, "cache-redis", *redis_cli(settings))
    edge = edge_access(settings) if settings["edge_enabled"] else {}
    api_ports = range(settings["api_port"], settings["api_port"] + settings["api_replicas"])
    return {
        "url": f"http://{_reachable(settings['api_bind_address'], 'localhost')}:{settings['api_port']}",
        "sql": sql,
        "sql_environment": {},
        "redis": redis,
        "versions": {
            "api-web": [],
            "banco-dados": [*sql, "show server_version"],
            "cache-redis": [*redis, "INFO", "server"],
            **edge.pop("versions", {}),
        },
        "closed_ports": [
            {"service": service, "port": settings[name]}
            for service, name in SETTINGS_OF_INNER_PORTS.items()
            if service in services
        ]
        + [{"service": "api-web", "port": port} for port in api_ports if edge],
        "published": [
            {
                "service": name,
                "port": port,
                "address": entry["host_address"],
            }
            for name, entry in settings["stack_services"].items()
            if entry["enabled"]
            for port in entry["host_ports"]
        ],
        # Docker's proxy of a published port has the container's address in its command line.
        "addresses": ["sh", "-c", ADDRESSES, project],
        "token_file": token_file(settings["api_tokens"], f"{output_dir}/secrets/api-web"),
        **edge,
    }
