"""Take a Compose environment down, whatever state its containers are in; volumes stay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...system import TIMED_OUT, run
from ..running import note_started
from .commands import compose
from .engine import SilentEngineError, ask_engine

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
