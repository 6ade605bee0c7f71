"""How a Compose environment is asked: argument lists for verification, logs, states and explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LOG_LINES = "50"
ADDRESSES = (
    'docker compose --file "$0/docker-compose.yml" ps --quiet'
    " | xargs -r docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'"
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
SETTINGS_OF_INNER_PORTS = {"banco-dados": "db_port", "cache-redis": "cache_port"}


def compose(output_dir: str, *words: str) -> list[str]:
    """``docker compose`` on the rendered file, from any working directory."""
    return ["docker", "compose", "--file", f"{output_dir}/docker-compose.yml", *words]


def inside(project: str, service: str, *words: str) -> list[str]:
    """A command in the running container of a service that has one."""
    return ["sh", "-c", EXEC, project, service, *words]


def evidence_commands(output_dir: str, services: Sequence[str]) -> dict[str, list[str]]:
    """What tells why something failed: states, then the last log lines of each service."""
    states = (
        'docker compose --file "$0/docker-compose.yml" ps --all --quiet'
        " | xargs -r docker inspect --format '{{json .}}'"
    )
    return {"states": ["sh", "-c", states, output_dir]} | {
        f"log of {name}": compose(
            output_dir, "logs", "--no-color", "--no-log-prefix", "--tail", LOG_LINES, name
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
    bound = settings["api_bind_address"]
    host = "localhost" if bound in ("0.0.0.0", "127.0.0.1") else bound
    return {
        "url": f"http://{host}:{settings['api_port']}",
        "sql": sql,
        "sql_environment": {},
        "redis": redis,
        "versions": {
            "api-web": [],
            "banco-dados": [*sql, "show server_version"],
            "cache-redis": [*redis, "INFO", "server"],
        },
        "closed_ports": [
            {"service": service, "port": settings[name]}
            for service, name in SETTINGS_OF_INNER_PORTS.items()
            if service in services
        ],
        # Docker's proxy of a published port has the container's address in its command line: an open port without it
        # belongs to somebody else's program.
        "addresses": ["sh", "-c", ADDRESSES, output_dir],
    }
