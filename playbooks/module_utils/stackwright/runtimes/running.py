"""What there is of an environment on its host: what runs, what is left, and what cannot be told.

An embedded environment is seen by its processes. Containers only the engine knows, and it may not answer: a record of
what was started then says whether that matters. Silence is never taken for absence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..output.manifest import read_manifest
from ..output.write import replace_file
from .compose.engine import SilentEngineError, advice, ask_engine
from .embedded.folder import Folder

# Processes run on this machine only: another host has neither them nor what tells of them.
EMBEDDED = find_spec("psutil") is not None
if EMBEDDED:
    from .embedded.lifecycle import stop
    from .embedded.supervisor import find_daemon

RECORD = "started.json"
RUNNING = {"running", "restarting", "paused"}


@dataclass(frozen=True)
class Presence:
    """What there is of an environment, by names of runtimes.

    It is ``running`` in some, there is something to take down (``present``) or to show logs of (``logged``), and in
    some it was ``started`` and not stopped since.
    ``silence`` is empty, or why the engine did not answer and, with ``unknown``, may have containers nevertheless;
    ``advice`` says how to go on.
    """

    running: list[str]
    present: list[str]
    logged: list[str]
    started: list[str]
    silence: str = ""
    unknown: bool = False
    advice: str = ""


def started_runtimes(output_dir: Path) -> list[str]:
    """The runtimes in which the environment was started and not stopped since.

    Where nobody has noted that, the one that it is rendered for: people may have started it by hand.
    """
    try:
        noted = json.loads((output_dir / RECORD).read_bytes())
    except (OSError, ValueError):
        noted = [read_manifest(output_dir).get("runtime")]
    return [name for name in noted if isinstance(name, str)] if isinstance(noted, list) else []


def note_started(output_dir: Path, runtime: str, started: bool) -> bool:
    """Note that the environment was started in a runtime, or stopped. Returns whether that is new. Raises OSError."""
    others = [name for name in started_runtimes(output_dir) if name != runtime]
    content = json.dumps([*others, runtime] if started else others).encode()
    path = output_dir / RECORD
    if path.exists() and path.read_bytes() == content:
        return False
    replace_file(path, content)
    return True


def find_environment(output_dir: Path, project: str) -> Presence:
    """Look for an environment by its folder and its Compose project."""
    states: list[str] = []
    networks = silence = fix = ""
    unknown = False
    label = f"label=com.docker.compose.project={project}"
    try:
        states = ask_engine("ps", "--all", "--filter", label, "--format", "{{.State}}").split()
        networks = "" if states else ask_engine("network", "ls", "--quiet", "--filter", label)
    except SilentEngineError as silent:
        silence, unknown = str(silent), not silent.absent
        fix = advice(silent.denied, unknown)
    folder = Folder(output_dir / "embedded")
    started = started_runtimes(output_dir)
    processes = EMBEDDED and find_daemon(folder) is not None
    left = processes or (EMBEDDED and bool(stop(folder, 0, check=True)))
    ended = "compose" not in started and any((folder.root / "logs").glob("*.log"))
    return Presence(
        running=_named(processes, bool(RUNNING & set(states))),
        present=_named(left, bool(states or networks)),
        logged=_named(processes or (ended and not states), bool(states)),
        started=started,
        silence=silence,
        unknown=unknown,
        advice=fix,
    )


def _named(embedded: bool, compose: bool) -> list[str]:
    found = {"embedded": embedded, "compose": compose}
    return [name for name, there in found.items() if there]
