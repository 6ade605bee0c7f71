"""Whose the containers of a Compose project are: projects of one name may belong to several checkouts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..system import ANSWER_SECONDS, TIMED_OUT, CommandError, run_checked

PROJECT_LABEL = "com.docker.compose.project"
FOLDER_LABEL = f"{PROJECT_LABEL}.working_dir"


class EngineError(Exception):
    """The engine did not answer, or refused; the message is one line of why."""


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
