"""Ask what container engine this machine has, within a bounded time.

There are three answers: one answers; there is none (no client, no socket); and nobody knows, because what is there
refuses, denies or keeps silent. The last is never taken for the second.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ...system import ANSWER_SECONDS, NOT_FOUND, TIMED_OUT, Completed, run

OLDEST_ENGINE = (20, 10)
OLDEST_COMPOSE = (2, 0)
NO_CLIENT = "there is no docker client"


@dataclass(frozen=True)
class Engine:
    """What answered. ``usable`` says whether the compose runtime can work; ``reason`` why, or why not.

    ``unknown``: one may run, but could not be asked. ``denied``: one runs that this user may not talk to.
    """

    usable: bool
    reason: str
    version: str = ""
    compose_version: str = ""
    denied: bool = False
    unknown: bool = False


class SilentEngineError(Exception):
    """The engine did not answer what it was asked. ``absent``: because there is none; ``late``: not in time.

    ``said`` is what the client printed.
    """

    def __init__(
        self,
        reason: str,
        absent: bool = False,
        denied: bool = False,
        late: bool = False,
        said: str = "",
    ) -> None:
        self.said = said or reason
        self.absent = absent
        self.denied = denied
        self.late = late
        super().__init__(reason)


def endpoint() -> str:
    """Where the docker client looks for its engine, such as ``unix:///var/run/docker.sock``; empty if it won't say."""
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    done = run(command, ANSWER_SECONDS)
    return done.out.strip() if done.code == 0 else ""


def call_docker(*arguments: str) -> Completed:
    """What a docker command printed, and how it ended. Raises SilentEngineError where it did not run or not end.

    DOCKER_HOST and contexts count.
    """
    if shutil.which("docker") is None:
        raise SilentEngineError(NO_CLIENT, absent=True)
    done = run(["docker", *arguments], ANSWER_SECONDS, most_characters=None)
    if done.code == TIMED_OUT:
        reason = f"the Docker engine did not answer within {ANSWER_SECONDS:g} s"
        raise SilentEngineError(reason, late=True)
    if done.code == NOT_FOUND:
        raise SilentEngineError(f"the docker client does not run ({done.err})")
    return done


def ask_engine(*arguments: str) -> str:
    """What a docker command prints, without the white space around. Raises SilentEngineError."""
    done = call_docker(*arguments)
    if done.code:
        raise silence(done.err)
    return done.out.strip()


def silence(said: str) -> SilentEngineError:
    """Why there was no answer, from what the client said."""
    if "permission denied" in said.lower():
        reason = "this user may not use the socket of the Docker engine (group docker)"
        return SilentEngineError(reason, denied=True, said=said)
    place = endpoint()
    socket = Path(place.removeprefix("unix://"))
    if place.startswith("unix://") and not _may_exist(socket):
        reason = f"no engine answers (there is no socket {socket})"
        return SilentEngineError(reason, absent=True, said=said)
    lines = said.strip().splitlines()
    connected = lines and not re.search("cannot connect|error during connect", said, re.IGNORECASE)
    reason = (
        f"the docker client says: {lines[-1]}"
        if connected
        else f"no engine answers at {place or 'the place its client looks at'}"
    )
    return SilentEngineError(reason, said=said)


def _may_exist(path: Path) -> bool:
    """Whether a file is there or cannot be looked for."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def advice(denied: bool, unknown: bool) -> str:
    """How this user gets an engine that answers, by what is known of the one that does not."""
    if denied:
        return (
            "let an administrator add this user to the group docker (which is as good as root) and log in again, "
            "or work as root"
        )
    if unknown:
        return (
            "look at its log (journalctl -u docker, or /var/log/stackwright/dockerd.log) and restart it, or correct "
            "DOCKER_HOST if that leads elsewhere"
        )
    if os.geteuid() == 0:
        return "`make engine` installs and starts Docker Engine and Compose v2"
    return (
        "`sudo make engine` installs and starts Docker Engine and Compose v2, which only root can; this user then has "
        "to be in the group docker"
    )


def probe_engine() -> Engine:
    """Find the engine behind the docker client, honouring DOCKER_HOST and contexts, and its Compose v2."""
    try:
        version = ask_engine("version", "--format", "{{.Server.Version}}")
    except SilentEngineError as silent:
        return Engine(False, str(silent), denied=silent.denied, unknown=not silent.absent)
    if _numbers(version) < OLDEST_ENGINE:
        return Engine(False, f"Docker Engine {version} is older than 20.10", version)
    try:
        compose_version = ask_engine("compose", "version", "--short").removeprefix("v")
    except SilentEngineError as silent:
        what = "does not answer in time" if silent.late else "is missing"
        reason = f"Docker Engine {version} answers, but Compose v2 {what}"
        return Engine(False, reason, version, unknown=silent.late)
    if _numbers(compose_version) < OLDEST_COMPOSE:
        return Engine(
            False, f"Compose {compose_version} is older than 2.0", version, compose_version
        )
    reason = f"Docker Engine {version} with Compose {compose_version} answers"
    return Engine(True, reason, version, compose_version)
