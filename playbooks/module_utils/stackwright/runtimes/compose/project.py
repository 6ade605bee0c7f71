"""What comes before an environment's containers are started, and how they are taken down, on their host."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...diagnosis.ports import port_owner
from ..ownership import EngineError, foreign_containers, refusal
from ..running import note_started
from .down import NotDownError, take_down
from .engine import SilentEngineError, ask_engine, endpoint

ADDRESS_SETTINGS = {"edge": "edge_bind_address"}
PORT_SETTINGS = {"edge": "edge_http_port and edge_https_port, or for all of them api_port"}


class NotReadyError(Exception):
    """Why nothing may be done with the containers; the message says how to mend it."""


def get_ready(
    environment: str,
    project: str,
    output_dir: str,
    adopt: bool,
    published: Sequence[Mapping[str, Any]],
    check: bool = False,
) -> list[str]:
    """Make sure that the containers are this checkout's own and their ports free, and note that they are started.

    Args:
        environment: its name.
        project: the Compose project, whose own published ports are no trouble.
        output_dir: the folder that its containers have to have been started from.
        adopt: whether to take over those of another checkout.
        published: the ports of the host, with ``service`` and the ``address`` they are to be bound to.
        check: only look.

    Returns the names of the containers that are taken over. Raises NotReadyError.
    """
    foreign = check_owner(environment, project, output_dir, adopt)
    problems = _port_problems(environment, project, published)
    if problems:
        raise NotReadyError("\n".join(problems))
    if not check:
        try:
            note_started(Path(output_dir), "compose", started=True)
        except OSError as error:
            raise NotReadyError(
                f"the start cannot be noted: {error.filename}: {error.strerror}"
            ) from None
    return foreign


def stop(
    environment: str, project: str, output_dir: str, adopt: bool, check: bool = False
) -> list[str]:
    """See down.take_down; for containers of this checkout only, unless ``adopt``. Raises NotReadyError."""
    check_owner(environment, project, output_dir, adopt)
    try:
        return take_down(output_dir, project, check)
    except (NotDownError, OSError) as failed:
        raise NotReadyError(str(failed)) from None


def check_owner(environment: str, project: str, output_dir: str, adopt: bool) -> list[str]:
    """The containers that another checkout started. Raises NotReadyError, unless there are none or ``adopt``."""
    try:
        foreign = foreign_containers(project, output_dir)
    except EngineError as error:
        message = f"whose the Compose project {project} is cannot be asked: {error}"
        raise NotReadyError(message) from None
    if foreign and not adopt:
        raise NotReadyError(refusal(environment, project, output_dir, foreign))
    return sorted(foreign)


def _port_problems(
    environment: str, project: str, published: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The ports that another program holds, with their owners, and the addresses that the host does not have."""
    failures = {
        (item["service"], item["port"], item["address"]): _bind_errno(item["address"], item["port"])
        for item in published
    }
    taken = [key for key, number in failures.items() if number == errno.EADDRINUSE]
    foreign = {key[0]: key[2] for key, number in failures.items() if number == errno.EADDRNOTAVAIL}
    try:
        ours = _published_by(project) if taken else set()
    except SilentEngineError as silent:
        raise NotReadyError(f"whose ports are taken cannot be told: {silent}") from None
    place = f"inventories/group_vars/{environment}/"
    problems = [
        f"{name}: host port {port} is taken by {port_owner(port) or 'another program'}. Free it, or give the "
        f"environment another port ({PORT_SETTINGS.get(name, 'for the API: api_port')} in {place} or -e api_port=…)"
        for name, port, _ in taken
        if port not in ours
    ]
    # An engine on another machine has other addresses.
    if foreign and endpoint().startswith("unix:///"):
        problems += [
            f"{name}: {bound} is no address of this host. Set {ADDRESS_SETTINGS.get(name, 'api_bind_address')} in "
            f"{place} to one that `ip address` shows, or to 127.0.0.1 or 0.0.0.0"
            for name, bound in foreign.items()
        ]
    return problems


def _bind_errno(address: str, port: int) -> int:
    """The errno with which binding fails, 0 if it does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno or 0
    return 0


def _published_by(project: str) -> set[int]:
    """The host ports of the project's containers, those included that are just being restarted.

    ``docker ps`` shows no ports of a container between two starts, while its port is still held.
    """
    listing = ["ps", "--quiet", "--filter", f"label=com.docker.compose.project={project}"]
    states = ["--filter", "status=running", "--filter", "status=restarting"]
    containers = ask_engine(*listing, *states).split()
    if not containers:
        return set()
    form = "{{range .HostConfig.PortBindings}}{{range .}}{{.HostPort}} {{end}}{{end}}"
    ports = ask_engine("inspect", "--format", form, *containers).split()
    bounds = [text.split("-") for text in ports]
    return {port for bound in bounds for port in range(int(bound[0]), int(bound[-1]) + 1)}
