"""Rules that concern several settings of one environment at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ... import layout
from ...rendering.files import is_leftover
from ...secrets.tokens import token_problems
from ..catalogue import start_order
from ..problems import Problem
from ..sources import Sources
from ..validation import UNITS, size_in_bytes
from .application import application_problems, reserved_variable_problems
from .folders import folder_problems
from .network import address_problems, edge_problems

Values = Mapping[str, Any]
# Connections kept free for the health check, migrations, backups and people.
RESERVED_CONNECTIONS = 10
# Threads of an API process beside api_threads: as many that wait for the database, those that wait for clients
# (MOST_WAITING in the API's workers.py), and the server's own; and per container the main process and a health check.
THREADS_PER_PROCESS, THREADS_PER_CONTAINER = 60 + 12, 12
# What many a YAML reader takes for yes/no or for nothing (source: yaml.org/type, bool and null).
YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
# PostgreSQL does not start its background processes in less, nor Redis, nor a Python server, nor Caddy.
LEAST_MEMORY = {"db_memory": 64, "cache_memory": 16, "api_memory": 64, "edge_memory": 48}
# Databases that every cluster has.
TEMPLATES = {"template0", "template1"}
ROLES = ("db_user", "db_app_user", "db_backup_user", "db_monitor_user")


def _connections(values: Values) -> list[tuple[str, str, str]]:
    # One for each thread of a process, and one by which it listens to the others.
    pools = values["api_replicas"] * values["api_workers"] * (values["api_threads"] + 1)
    room = values["db_max_connections"] - RESERVED_CONNECTIONS
    if pools <= room:
        return []
    reason = f"leaves room for {room} API connections, and api_replicas x api_workers x (api_threads + 1) needs {pools}"
    return [
        (
            "db_max_connections",
            reason,
            f"raise it to {pools + RESERVED_CONNECTIONS} or lower the others",
        )
    ]


def _processes(values: Values) -> list[tuple[str, str, str]]:
    threads = 2 * values["api_threads"] + THREADS_PER_PROCESS
    needed = values["api_workers"] * threads + THREADS_PER_CONTAINER
    if needed <= values["api_pids"]:
        return []
    formula = f"api_workers x (2 x api_threads + {THREADS_PER_PROCESS}) + {THREADS_PER_CONTAINER}"
    reason = f"is less than what {formula} needs"
    return [("api_pids", reason, f"raise it to {needed} or lower the others")]


def _memory(values: Values) -> list[tuple[str, str, str]]:
    found = [
        (name, f"is below {least}m, with which the service cannot start", f"set at least {least}m")
        for name, least in LEAST_MEMORY.items()
        if size_in_bytes(values[name]) < least * UNITS["m"]
    ]
    if size_in_bytes(values["cache_max_data"]) >= size_in_bytes(values["cache_memory"]):
        reason = "is not below cache_memory, so the kernel would kill Redis before it evicts"
        found.append(("cache_max_data", reason, "set it to about half of cache_memory"))
    return found


def _ports(values: Values) -> list[tuple[str, str, str]]:
    claims = [
        (name, port)
        for name, service in values["stack_services"].items()
        if service["enabled"]
        for port in service["host_ports"]
    ]
    twice = [port for port, count in Counter(port for _, port in claims).items() if count > 1]
    found = [
        ("stack_services", f"host port {port} is taken by {' and '.join(n for n, p in claims if p == port)}",
         "give each its own port")
        for port in twice
    ]  # fmt: skip
    local = {
        name: service["embedded_port"]
        for name, service in values["stack_services"].items()
        if service["enabled"] and "embedded_port" in service
    }
    for port in sorted({port for port in local.values() if list(local.values()).count(port) > 1}):
        users = [name for name, own in local.items() if own == port]
        reason = f"{' and '.join(users)} have embedded ports that are not all different"
        settings = [name for name in values if name.endswith("_port") and values[name] == port]
        setting = max(settings, key=lambda name: name.startswith("embedded_"), default="")
        found.append((setting or "stack_services", reason, "give each its own port"))
    return found


def _published(values: Values) -> list[tuple[str, str, str]]:
    """Each port of the host leads to one of a container: its own, or that of its replica."""
    found = []
    for name, service in values["stack_services"].items():
        ports, inner = len(service["host_ports"]), len(service.get("container_ports", []))
        replicas = service.get("replicas", 1)
        if service["enabled"] and ports and (ports, inner) != (max(replicas, inner), inner or 1):
            reason = (
                f"{name} has {ports} host_ports, {inner} container_ports and {replicas} replicas"
            )
            fix = (
                "give one host port for each port of its container, or of one port for each replica"
            )
            found.append(("stack_services", reason, fix))
    return found


def _catalogue(values: Values) -> list[tuple[str, str, str]]:
    services = values["stack_services"]
    enabled = {name for name, service in services.items() if service["enabled"]}
    found = [
        (
            "stack_services",
            f"has a service named {name}, which YAML reads as yes/no or nothing",
            "give the service another name",
        )
        for name in sorted(YAML_WORDS & services.keys())
    ]
    for name in sorted(enabled):
        for needed in services[name]["needs"]:
            if needed not in enabled:
                state = "disabled" if needed in services else "unknown"
                reason = f"{name} needs {needed}, which is {state}"
                found.append(("stack_services", reason, f"enable {needed} or drop it from needs"))
        context = services[name].get("build", {}).get("context")
        own = context == values["app_folder"]  # see application_problems
        if context and not own and not (layout.PROJECT / context / "Dockerfile").is_file():
            reason = f"{name} is built from {context}, which has no Dockerfile"
            found.append(
                ("stack_services", reason, f"write {context}/Dockerfile or correct build.context")
            )
    if not found:
        try:
            start_order(services)
        except ValueError as circle:
            found.append(
                (
                    "stack_services",
                    f"has services that need each other: {circle}",
                    "break the circle",
                )
            )
    return found


def _partials(values: Values) -> list[tuple[str, str, str]]:
    """A partial without an entry would render nothing, and its settings would do nothing, without a word."""
    found = []
    for partial in sorted((layout.TEMPLATES / "services").glob("*.yml.j2")):
        name = partial.name.removesuffix(".yml.j2")
        if name not in values["stack_services"] and not is_leftover([partial.name]):
            reason = (
                f"has no entry for {name}, which has a partial, templates/services/{partial.name}"
            )
            fix = "add the entry (enabled: false leaves the service out), or remove the partial"
            found.append(("stack_services", reason, fix))
    programs = {path.name for path in (layout.TEMPLATES / "embedded").glob("*.json.j2")}
    for name, entry in values["stack_services"].items():
        command = " ".join(entry.get("command", []))
        if "{data}" in command and not entry.get("volumes"):
            reason = f"{name} has {{data}} in its command, and no volumes"
            found.append(
                ("stack_services", reason, f"add the volume that {name} keeps its data in")
            )
        if "embedded_port" in entry and not command and f"{name}.json.j2" not in programs:
            reason = f"{name} has an embedded_port, and nothing says what to run"
            fix = f"add its command, or its program, templates/embedded/{name}.json.j2"
            found.append(("stack_services", reason, fix))
    for program in sorted((layout.TEMPLATES / "embedded").glob("*.json.j2")):
        name = program.name.removesuffix(".json.j2")
        if "embedded_port" not in values["stack_services"].get(name, {"embedded_port": 0}):
            reason = (
                f"{name} has a program, templates/embedded/{program.name}, and no embedded_port"
            )
            found.append(("stack_services", reason, "add its port on 127.0.0.1"))
    return found


def _delivery(values: Values) -> list[tuple[str, str, str]]:
    if values["secrets_strict"] and values["secrets_delivery"] == "environment":
        reason = "puts secrets into environment variables, which `docker inspect` shows"
        return [("secrets_delivery", reason, "set it to file")]
    return []


def _roles(values: Values) -> list[tuple[str, str, str]]:
    """The database and its roles: each its own, but for the API where nothing needs to be strict."""
    found = []
    if values["db_name"] in TEMPLATES:
        reason = "is a database that PostgreSQL keeps for itself"
        found.append(("db_name", reason, "take another, such as tasks_db"))
    if values["embedded_user"] == "root":
        reason = "is root, as whom PostgreSQL does not run"
        found.append(("embedded_user", reason, "name a user without privileges, such as nobody"))
    for place, name in enumerate(ROLES):
        role = values[name]
        if role.startswith("pg_") or role in ("public", "none"):
            reason = "is a name that PostgreSQL keeps for itself"
            found.append((name, reason, f"take another, such as tasks_{name.split('_')[1]}"))
        for other in ROLES[:place]:
            shared = (other, name) == ("db_user", "db_app_user") and not values["secrets_strict"]
            if values[other] == role and not shared:
                reason = f"is the same as {other}, and so would be their rights"
                found.append((name, reason, "give each its own name"))
    if (
        values["db_app_user"] == values["db_user"]
        and values["db_app_password"] != values["db_password"]
    ):
        reason = "differs from db_password, and db_app_user is db_user"
        found.append(("db_app_password", reason, 'set it to "{{ db_password }}"'))
    return found


def _cache_user(values: Values) -> list[tuple[str, str, str]]:
    user = values["cache_user"]
    if user == "default" and values["secrets_strict"]:
        reason = "lets everybody who reaches Redis do everything without a password"
        return [("cache_user", reason, "take another name, such as tasks_api")]
    if user == "health":
        return [("cache_user", "is the user of the health check", "take another name")]
    if user != "default" and values["secrets_delivery"] == "environment":
        reason = "environment does not reach Redis, whose user cache_user has a password"
        return [("secrets_delivery", reason, "set it to file, or cache_user to default")]
    return []


RULES: list[Callable[[Values], list[tuple[str, str, str]]]] = [
    _connections,
    _processes,
    _memory,
    _ports,
    _published,
    _catalogue,
    _partials,
    address_problems,
    folder_problems,
    application_problems,
    _delivery,
    edge_problems,
    reserved_variable_problems,
    _roles,
    _cache_user,
    token_problems,
]


def cross_field_problems(values: Values, sources: Sources) -> list[Problem]:
    """Problems of settings that are each allowed but do not go together. ``values`` passed the schema.

    A rule names a setting, or a place inside it such as ``api_environment.DB_HOST``.
    """
    return [
        Problem(
            setting, reason, fix, sources.where(setting.partition(".")[0], "inventories/group_vars")
        )
        for rule in RULES
        for setting, reason, fix in rule(values)
    ]
