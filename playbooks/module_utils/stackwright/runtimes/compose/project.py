"""A Compose project on its host: whose it is, what comes before its containers are started, and taking them down.

Projects of one name may belong to several checkouts.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...diagnosis.ports import port_owner
from ...system import ANSWER_SECONDS, TIMED_OUT, CommandError, run, run_checked
from ..running import note_started
from .commands import compose
from .engine import SilentEngineError, ask_engine, endpoint

# PostgreSQL alone may take its stop_grace_period of 90 s.
DOWN_SECONDS = 600.0


class NotDownError(Exception):
    """Something is left, or the engine does not answer; the message says what and why."""


@dataclass(frozen=True)
class Holdings:
    """What the engine has of a project: states by container, and names of networks and volumes."""

    containers: dict[str, str]
    networks: list[str]
    volumes: list[str]

    @property
    def can_go(self) -> list[str]:
        """What a stop removes, in words."""
        containers = [
            name if state == "running" else f"{name} ({state})"
            for name, state in sorted(self.containers.items())
        ]
        groups = {"container": containers, "network": self.networks}
        return [
            f"{kind}{'s' if len(names) > 1 else ''} {', '.join(names)}"
            for kind, names in groups.items()
            if names
        ]


def holdings(project: str) -> Holdings:
    """Everything of a project, running or not. Raises SilentEngineError."""
    mine = ("--filter", f"label=com.docker.compose.project={project}", "--format")
    containers = ask_engine("ps", "--all", *mine, "{{.Names}} {{.State}}").splitlines()
    return Holdings(
        dict(line.split(" ", 1) for line in containers),
        ask_engine("network", "ls", *mine, "{{.Name}}").split(),
        ask_engine("volume", "ls", *mine, "{{.Name}}").split(),
    )


def take_down(output_dir: str, project: str, check: bool = False) -> list[str]:
    """Stop and remove containers and networks, those that Compose has forgotten included.

    Returns what was done, or with ``check`` would be, in lines; none where there was nothing. Raises NotDownError.
    """
    try:
        before = holdings(project)
        if before.can_go and not check:
            _remove(output_dir, project)
    except SilentEngineError as silent:
        raise NotDownError(f"{silent}: what runs of {project} runs on") from None
    if not check:
        note_started(Path(output_dir), "compose", started=False)
    if not before.can_go:
        return []
    lines = [f"{'would be ' if check else ''}stopped and removed: {'; '.join(before.can_go)}"]
    if before.volumes:
        lines += [f"data kept in volume {', '.join(before.volumes)}"]
    return lines


def _remove(output_dir: str, project: str) -> None:
    """As Compose does it, services in reverse order; then what it left, such as a container of another file."""
    command = compose(output_dir, "--project-name", project, "down", "--remove-orphans")
    done = run(command, DOWN_SECONDS)
    left = holdings(project)
    for words, names in (("rm", "--force"), left.containers), (("network", "rm"), left.networks):
        if names:
            done = run(["docker", *words, *names], DOWN_SECONDS)
    left = holdings(project)
    if left.can_go:
        said = "no end within 600 s" if done.code == TIMED_OUT else done.err.strip()
        raise NotDownError(f"still there: {'; '.join(left.can_go)}\n{said}".rstrip())


PROJECT_LABEL = "com.docker.compose.project"
FOLDER_LABEL = f"{PROJECT_LABEL}.working_dir"
ADDRESS_SETTINGS = {"api-web": "api_bind_address", "edge": "edge_bind_address"}
PORT_SETTINGS = {
    "api-web": "for the API: api_port",
    "edge": "edge_http_port and edge_https_port, or for all of them api_port",
}


class EngineError(Exception):
    """The engine did not answer, or refused; the message is one line of why."""


class NotReadyError(Exception):
    """Why nothing may be done with the containers; the message says how to mend it."""


def docker(*arguments: str, seconds: float = ANSWER_SECONDS) -> list[str]:
    """The lines that a docker command prints. Raises EngineError."""
    try:
        return run_checked(["docker", *arguments], seconds).out.splitlines()
    except CommandError as failed:
        done = failed.completed
        if done.code == TIMED_OUT:
            raise EngineError(f"the engine did not answer within {seconds:.0f} s") from None
        lines = done.err.strip().splitlines() or [str(failed)]
        raise EngineError("; ".join(lines[-3:])) from None


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


def foreign_containers(project: str, folder: str) -> dict[str, str]:
    """The project's containers, stopped ones too, that were started from another folder, with that folder.

    Raises EngineError.
    """
    form = f'{{{{.Names}}}}\t{{{{.Label "{FOLDER_LABEL}"}}}}'
    label = f"label={PROJECT_LABEL}={project}"
    rows = [line.split("\t") for line in docker("ps", "--all", "--filter", label, "--format", form)]
    ours = os.path.realpath(folder)
    return {name: theirs for name, theirs in rows if theirs and os.path.realpath(theirs) != ours}


def refusal(environment: str, project: str, folder: str, foreign: Mapping[str, str]) -> str:
    """Why nothing is done to containers of another checkout, and what to do."""
    folders: Sequence[str] = sorted(set(foreign.values()))
    gone = [theirs for theirs in folders if not os.path.isdir(theirs)]
    where = f" ({', '.join(gone)}: no longer there)" if gone else ""
    return (
        f"environment {environment}: the Compose project {project} belongs to {', '.join(folders)}{where}, not to "
        f"{folder}, and nothing was changed. Its containers: {', '.join(sorted(foreign))}. Work in that checkout, or "
        "give this environment names and ports of its own (stack_project, stack_container_prefix and api_port in "
        f"inventories/group_vars/{environment}/), or take the project over with -e stack_adopt=true"
    )


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
        f"environment another port ({_setting(PORT_SETTINGS, name, 'host_ports')} in {place} or -e api_port=…)"
        for name, port, _ in taken
        if port not in ours
    ]
    # An engine on another machine has other addresses.
    if foreign and endpoint().startswith("unix:///"):
        problems += [
            f"{name}: {bound} is no address of this host. Set {_setting(ADDRESS_SETTINGS, name, 'host_address')} "
            f"in {place} to one that `ip address` shows, or to 127.0.0.1 or 0.0.0.0"
            for name, bound in foreign.items()
        ]
    return problems


def _setting(known: Mapping[str, str], service: str, key: str) -> str:
    """What to change: a setting, or else the key of the service's own entry."""
    return known.get(service, f"stack_services.{service}.{key}")


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
