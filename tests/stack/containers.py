"""Real containers for tests: images of this project, commands, waiting, and removal whatever happens.

Names begin with ``swtest-`` and the process id, so that parallel runs and real stacks never meet.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stackwright.images.references import stand_ins
from stackwright.runtimes.compose.engine import probe_engine

PROJECT = Path(__file__).parents[2]
BASE = PROJECT / "app/base"


# How the rendered stack runs PostgreSQL: nothing writable but the data and two folders in memory.
HARDENED = (
    *("--read-only", "--user", "999:999", "--cap-drop", "ALL", "--init"),
    *("--security-opt", "no-new-privileges:true"),
    *("--tmpfs", "/tmp", "--tmpfs", "/var/run/postgresql"),
)
_numbers = itertools.count(1)


def new_name() -> str:
    """Return a name for a container, volume or image that nothing else has."""
    return f"swtest-{os.getpid()}-{next(_numbers)}"


def docker(
    *arguments: str, check: bool = True, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a docker command; with `check`, fail the test with its error output unless it succeeds."""
    done = subprocess.run(
        ["docker", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if check and done.returncode != 0:
        pytest.fail(f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done


def inside(name: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in a running container."""
    return docker("exec", name, *command, check=check)


def bridge_address() -> str:
    """The address under which containers of Docker's default network reach this host."""
    line = "{{json (index .IPAM.Config 0)}}"
    given = json.loads(docker("network", "inspect", "bridge", "--format", line).stdout)
    # An engine whose bridge was there before it started names no gateway, and takes the first address all the same.
    return given.get("Gateway") or str(next(ipaddress.ip_network(given["Subnet"]).hosts()))


def logs(name: str) -> str:
    """Everything a container has written so far."""
    done = docker("logs", name)
    return done.stdout + done.stderr


def wait_for(what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until `holds()`; fail the test after `seconds`, a bound for hangs only."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(0.1)


def health(name: str) -> str:
    """Docker's own opinion: starting, healthy or unhealthy."""
    return docker("inspect", "--format", "{{.State.Health.Status}}", name).stdout.strip()


def wait_healthy(name: str) -> None:
    """Wait until Docker calls a container healthy."""
    wait_for(f"{name} to be healthy", lambda: health(name) == "healthy")


@contextmanager
def container(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[str]:
    """Start a container in the background, yield its name, and remove it with its anonymous volumes."""
    name = new_name()
    try:
        docker("run", "--detach", "--name", name, *options, image, *command)
        yield name
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


@contextmanager
def volume() -> Iterator[str]:
    """Yield the name of an empty volume and remove it afterwards."""
    name = docker("volume", "create", new_name()).stdout.strip()
    try:
        yield name
    finally:
        docker("volume", "rm", "--force", name, check=False)


def run_once(
    image: str, *options: str, command: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a container to its end and return its output and exit code."""
    name = new_name()
    try:
        return docker("run", "--name", name, *options, image, *command, check=False)
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


@functools.cache
def engine_trouble() -> str:
    """Why tests marked docker cannot run here, or an empty string."""
    engine = probe_engine()
    return "" if engine.usable else f"{engine.reason} (make engine)"


@functools.cache
def base_images() -> dict[str, str]:
    """Return the stand-ins' names by kind, built first where this engine does not have them (a minute, once)."""
    if engine_trouble():
        pytest.skip(engine_trouble())
    images = stand_ins(os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian"))
    done = build_stand_ins(*(f"{kind}={image}" for kind, image in images.items()))
    if done.returncode != 0:
        pytest.fail(f"{done.stdout}{done.stderr[-4000:]}")
    return images


def build_stand_ins(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run app/base/build, trusting what pip on this machine is told to trust."""
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or ""
    return subprocess.run(
        [BASE / "build", *arguments],
        env={**os.environ, "CA_BUNDLE": bundle},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
