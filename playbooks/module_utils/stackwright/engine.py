"""Ask what container engine this machine has, within a bounded time."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

ANSWER_SECONDS = 2.0
TOO_SLOW = f"did not answer within {ANSWER_SECONDS:.0f} s"
OLDEST_ENGINE = (20, 10)
OLDEST_COMPOSE = (2, 0)


@dataclass(frozen=True)
class Engine:
    """What answered. ``usable`` says whether the compose runtime can work; ``reason`` why, or why not.

    ``denied``: one runs that this user may not talk to.
    """

    usable: bool
    reason: str
    version: str = ""
    compose_version: str = ""
    denied: bool = False


def _ask(*arguments: str) -> tuple[str, str]:
    """Output of a docker command, and what went wrong in one line."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", TOO_SLOW
    except OSError as error:
        return "", f"has a client that does not run ({error.strerror})"
    if done.returncode == 0:
        return done.stdout.strip(), ""
    lines = done.stderr.strip().splitlines() or ["no message"]
    return "", lines[-1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def probe_engine() -> Engine:
    """Find the engine behind the docker client, honouring DOCKER_HOST and contexts, and its Compose v2."""
    if shutil.which("docker") is None:
        return Engine(False, "there is no docker client")
    version, trouble = _ask("version", "--format", "{{.Server.Version}}")
    if trouble:
        denied = "permission denied" in trouble.lower()
        hint = "this user may not use its socket (group docker)" if denied else "no engine answers"
        reason = f"the engine {trouble}" if trouble == TOO_SLOW else hint
        return Engine(False, reason, denied=denied)
    if _numbers(version) < OLDEST_ENGINE:
        return Engine(False, f"Docker Engine {version} is older than 20.10", version)
    compose_version, trouble = _ask("compose", "version", "--short")
    if trouble:
        return Engine(False, f"Docker Engine {version} answers, but Compose v2 is missing", version)
    compose_version = compose_version.removeprefix("v")
    if _numbers(compose_version) < OLDEST_COMPOSE:
        return Engine(
            False, f"Compose {compose_version} is older than 2.0", version, compose_version
        )
    reason = f"Docker Engine {version} with Compose {compose_version} answers"
    return Engine(True, reason, version, compose_version)


def images_present(references: list[str]) -> set[str]:
    """Which of the image references the engine has; none when it does not answer within 30 s."""
    try:
        done = subprocess.run(
            ["docker", "image", "inspect", "--format", "{{join .RepoTags \"\\n\"}}", *references],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return set()
    # Success means that all were found, also those that the engine lists under another name (docker.io/…, a digest).
    return set(references) if done.returncode == 0 else set(done.stdout.split()) & set(references)
