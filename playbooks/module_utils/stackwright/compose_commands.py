"""How a Compose environment is asked: argument lists for verification, logs, states and explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LOG_LINES = "50"
ADDRESSES = (
    'docker compose --file "$0/docker-compose.yml" ps --quiet'
    " | xargs -r docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'"
)
SETTINGS_OF_INNER_PORTS = {"banco-dados": "db_port", "cache-redis": "cache_port"}


def compose(output_dir: str, *words: str) -> list[str]:
    """``docker compose`` on the rendered file, from any working directory."""
    return ["docker", "compose", "--file", f"{output_dir}/docker-compose.yml", *words]


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
    sql = compose(output_dir, "exec", "-T", "banco-dados", *psql)
    redis = compose(
        output_dir, "exec", "-T", "cache-redis", "redis-cli", "-p", str(settings["cache_port"])
    )
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
