"""Checks that look only: health, versions, schema, closed ports."""

from __future__ import annotations

import re
import socket

from ...diagnosis.ports import is_foreign, port_owner
from ...system import OutOfTimeError
from ..client import Response, UnreachableError
from ..context import Context
from ..report import API, CACHE, DATABASE, CheckFailed, Finding
from ..target import ClosedPort

_PARTS = (API, DATABASE, CACHE)
_POLL_SECONDS = 0.5
_REDIS_VERSION = re.compile(r"redis_version:(\S+)")
_SCHEMA = "SELECT coalesce(json_agg(version ORDER BY version), '[]') FROM schema_migrations"


def health(context: Context) -> Finding:
    """``/health`` says healthy for every part, within the wait that the target allows."""
    waited = context.target.health_wait
    end = context.deadline.left() - waited
    while True:
        role, got = _health_now(context)
        if not got:
            return Finding("api, database and cache are healthy")
        if context.deadline.left() <= max(end, _POLL_SECONDS):
            expected = f"GET /health says healthy for {', '.join(_PARTS)} within {waited:g} s"
            raise CheckFailed(expected, got, role=role)
        context.deadline.pause(_POLL_SECONDS)


def _health_now(context: Context) -> tuple[str, str]:
    """The part that is to blame and what is wrong, empty if nothing is."""
    try:
        response = context.api.request("GET", "/health")
    except UnreachableError as error:
        return API, str(error)
    for part in (DATABASE, CACHE, API):
        if response.body.get(part) != "healthy":
            return part, _refusal(response) or str(response)
    sound = response.status == 200 and response.body.get("status", "healthy") == "healthy"
    return API, "" if sound else str(response)


def _refusal(health: Response) -> str:
    """What Redis refuses to the API's user, in words; empty if nothing."""
    cache = str(health.body.get(CACHE))
    refused = cache.removeprefix("refused: ")
    if refused == cache:
        return ""
    kind = "" if refused.startswith("key ") else "command "
    return f"Redis refuses {kind}{refused} to the API's user"


def versions(context: Context) -> Finding:
    """Every expected service tells its version; an empty command means the API's own ``GET /``."""
    for service, argv in context.target.expected_services.items():
        if not argv:
            response = context.api.expect("GET", "/", 200)
            context.versions[service] = str(response.body.get("version", "unknown"))
            continue
        done = context.run(argv)
        found = _REDIS_VERSION.search(done.out)
        lines = done.out.strip().splitlines()
        if done.code != 0 or not lines:
            got = f"exit code {done.code}: {done.text[-300:] or 'no output'}"
            raise CheckFailed(f"{service} tells its version", got, role=service)
        context.versions[service] = found[1] if found else lines[0].strip()[:60]
    text = ", ".join(f"{name} {version}" for name, version in context.versions.items())
    return Finding(text or "no services to ask", dict(context.versions))


def schema(context: Context) -> Finding:
    """All migrations are applied, without a gap, up to the expected version where one is given."""
    applied = context.sql_json(_SCHEMA)
    wanted = context.target.schema_version or (max(applied) if applied else 1)
    missing = sorted(set(range(1, wanted + 1)) - set(applied))
    if missing:
        raise CheckFailed(
            f"schema version {wanted} with every migration before it",
            f"migrations {applied} applied, {missing} missing",
            role=DATABASE,
            fix="Read the database's log for the migration that failed, correct it and start again.",
        )
    return Finding(f"version {max(applied)}", {"applied": applied})


def ports(context: Context) -> Finding:
    """Nothing of this environment answers on the ports that have to be closed."""
    foreign = []
    for port in context.target.closed_ports:
        if not _is_open(port, context):
            continue
        owner = port_owner(port.port)
        words = context.addresses()
        if is_foreign(owner, words):
            foreign.append(f"{port.port} is {owner}, not this environment")
            continue
        raise CheckFailed(
            f"{port.service} is not reachable on {port.host}:{port.port}",
            f"a connection succeeds{f' to {owner}' if owner else ''}",
            role=port.service,
            fix=f"Publish no port for {port.service}: only the API is meant to be reachable.",
        )
    closed = [f"{port.service} {port.host}:{port.port}" for port in context.target.closed_ports]
    text = f"{', '.join(closed)} not reachable" if closed else "none has to be closed"
    return Finding("; ".join([text, *foreign]), {"closed": closed, "foreign": foreign})


def _is_open(port: ClosedPort, context: Context) -> bool:
    seconds = context.deadline.bound(2)
    try:
        with socket.create_connection((port.host, port.port), timeout=seconds):
            return True
    except TimeoutError:  # filtered: not reachable either, unless the time is up altogether
        if context.deadline.left() <= 0:
            raise OutOfTimeError from None
        return False
    except OSError:
        return False
