"""What every service of a strict environment's Compose file has, whoever wrote its partial.

The items are those of the CIS Docker Benchmark that a Compose file decides, and what keeps a fault in one service from
the others: docs/security.md has the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .compose_file import ComposeFileError

Service = Mapping[str, Any]
NUMERIC_USER = re.compile(r"^[1-9][0-9]*:[1-9][0-9]*$")
SHARED = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup_parent", "devices", "cap_add")


def _limits(service: Service) -> Mapping[str, Any]:
    found = service.get("deploy", {}).get("resources", {}).get("limits", {})
    return found if isinstance(found, Mapping) else {}


def _log_is_rotated(service: Service) -> bool:
    logging = service.get("logging", {})
    return logging.get("driver") == "json-file" and {"max-size", "max-file"} <= set(
        logging.get("options") or {}
    )


def _health_is_checked(service: Service) -> bool:
    check = service.get("healthcheck", {})
    return bool(check.get("test")) and check["test"] != ["NONE"] and not check.get("disable")


def _memory_folders_are_bounded(service: Service) -> bool:
    mounts = service.get("volumes", [])
    return not service.get("tmpfs") and all(
        isinstance(mount, Mapping) and (mount["type"] != "tmpfs" or mount.get("tmpfs", {}).get("size"))
        for mount in mounts
    )  # fmt: skip


def _ports_have_an_address(service: Service) -> bool:
    return all(isinstance(port, str) and port.count(":") == 2 for port in service.get("ports", []))


def _no_engine(service: Service) -> bool:
    return not any("docker.sock" in str(mount) for mount in service.get("volumes", []))


PROTECTIONS: dict[str, Callable[[Service], bool]] = {
    "user: a numeric user and group, not 0": lambda s: bool(NUMERIC_USER.match(str(s.get("user")))),
    "read_only: true": lambda s: s.get("read_only") is True,
    "cap_drop: [ALL]": lambda s: s.get("cap_drop") == ["ALL"],
    "security_opt: [no-new-privileges:true], and no more": lambda s: (
        s.get("security_opt") == ["no-new-privileges:true"]
    ),
    "no privileged: true": lambda s: not s.get("privileged"),
    "nothing of the host's: " + ", ".join(SHARED): lambda s: not any(s.get(key) for key in SHARED),
    "deploy.resources.limits.memory": lambda s: bool(_limits(s).get("memory")),
    "deploy.resources.limits.cpus": lambda s: bool(_limits(s).get("cpus")),
    "deploy.resources.limits.pids": lambda s: _limits(s).get("pids", 0) > 0,
    "ulimits.nofile": lambda s: bool(s.get("ulimits", {}).get("nofile")),
    "ulimits.core: 0": lambda s: s.get("ulimits", {}).get("core") == 0,
    "restart: unless-stopped": lambda s: s.get("restart") == "unless-stopped",
    "stop_grace_period": lambda s: bool(s.get("stop_grace_period")),
    "healthcheck.test": _health_is_checked,
    "logging: json-file with max-size and max-file": _log_is_rotated,
    "volumes in the long form, those of type tmpfs with a size": _memory_folders_are_bounded,
    "ports with a host address": _ports_have_an_address,
    "no docker.sock": _no_engine,
    "networks by name": lambda s: bool(s.get("networks")),
}
"""What must hold of a service, by the words that say so."""


def unprotected(document: Mapping[str, Any], closed: bool) -> dict[str, list[str]]:
    """What services of a Compose file lack, in the words of `PROTECTIONS`; those that lack nothing are left out.

    ``document`` fits the specification. With ``closed``, what publishes no port must have no way out of the stack.
    """
    found = {
        name: [words for words, holds in PROTECTIONS.items() if not holds(service)]
        for name, service in document["services"].items()
    }
    networks = document.get("networks", {})
    for name, service in document["services"].items():
        joined = service.get("networks", [])
        if closed and not service.get("ports") and not all(
            (networks.get(network) or {}).get("internal") for network in joined
        ):  # fmt: skip
            found[name].append("networks with internal: true only, as it publishes no port")
    return {name: lacking for name, lacking in found.items() if lacking}


def check_protections(document: Mapping[str, Any], closed: bool) -> None:
    """Raise ComposeFileError, naming service, protections and partial, if a service lacks one."""
    for name, lacking in unprotected(document, closed).items():
        place = f"templates/services/{name}.yml.j2"
        raise ComposeFileError(
            f"docker-compose.yml: services.{name} lacks {'; '.join(lacking)}. What extends service.yml.j2 has all of "
            f"them: correct {place}, or say secrets_strict: false where the environment need not be safe"
        )
