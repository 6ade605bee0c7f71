#!/usr/bin/python
"""Ansible module ``replace_replicas``: replace a service's containers one after the other, so that one always answers.

Parameters: ``folder`` with the compose file; ``project`` and ``service``; ``replicas``, how many it has; ``replace``,
the names of the project's containers that are out of date; ``needs``, services whose own replacement makes all old
replicas useless, so that none is replaced here; ``wait_seconds`` for a new container to be healthy. Fails where one
does not get there: the replicas that were not replaced yet go on.
The containers are named ``PROJECT-SERVICE-1`` to ``-N``, by which the edge knows them, as Compose does at first. Its
own number for a new one is above all others, so that names are put right here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.system import TIMED_OUT, CommandError, run_checked

# The edge asks twice a second who is there: the next one goes when the new one is known.
KNOWN_AFTER_SECONDS = 2.0
LABEL = "com.docker.compose"


class DockerError(Exception):
    """What Docker said when it refused."""


def docker(*words: str, seconds: float = 120) -> str:
    """The output of a docker command. Raises DockerError."""
    try:
        shown: str = run_checked(["docker", *words], seconds).out
    except CommandError as failed:
        if failed.completed.code == TIMED_OUT:
            raise DockerError(f"docker {words[0]} does not end within {seconds:.0f} s") from None
        raise DockerError(failed.completed.err.strip()) from None
    return shown


class Replicas:
    """The containers of one service, and what makes them anew."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._project, self._service = given["project"], given["service"]
        self._file = f"{given['folder']}/docker-compose.yml"
        self._seconds = given["wait_seconds"]
        self.names = [
            f"{self._project}-{self._service}-{number + 1}" for number in range(given["replicas"])
        ]

    def of(self, *services: str) -> dict[str, str]:
        """The containers of these services of the project, whatever their state: name by id."""
        shown = docker(
            *("ps", "--all", "--filter", f"label={LABEL}.project={self._project}"),
            *("--filter", f"label={LABEL}.oneoff=False"),
            *("--format", f'{{{{.ID}}}} {{{{.Names}}}} {{{{.Label "{LABEL}.service"}}}}'),
        )
        rows = [line.split(" ") for line in shown.splitlines()]
        return {identity: name for identity, name, service in rows if service in services}

    def own(self) -> dict[str, str]:
        """The service's containers."""
        return self.of(self._service)

    def remove(self, identity: str) -> None:
        """Stop a container in its own time, as Compose does, and remove it."""
        docker("stop", identity)
        docker("rm", identity)

    def rename(self) -> list[str]:
        """Give containers under other names those that are free, and return these."""
        own = self.own()
        strangers = sorted(identity for identity, name in own.items() if name not in self.names)
        free = [name for name in self.names if name not in own.values()]
        pairs = list(zip(strangers, free, strict=False))
        for identity, name in pairs:
            docker("rename", identity, name)
        return [name for _, name in pairs]

    def complete(self) -> None:
        """Create what is missing, and wait until all are healthy."""
        self._up("--no-start", "--no-recreate")
        self.rename()
        seconds = str(self._seconds)
        self._up("--detach", "--no-recreate", "--wait", "--wait-timeout", seconds)

    def _up(self, *options: str) -> None:
        words = ("--no-deps", "--no-build", "--pull", "never", self._service)
        docker("compose", "--file", self._file, "up", *options, *words, seconds=self._seconds + 60)


def replace(given: Mapping[str, Any]) -> list[str]:
    """Replace what has to be, and put names right; the names of what was touched. Raises DockerError."""
    replicas = Replicas(given)
    wanted = set(given["replace"])
    stale = {identity: name for identity, name in replicas.own().items() if name in wanted}
    if wanted.intersection(replicas.of(*given["needs"]).values()):
        stale = {}
    for number, identity in enumerate(stale):
        if number:
            time.sleep(KNOWN_AFTER_SECONDS)
        replicas.remove(identity)
        replicas.complete()
    return [*stale.values(), *replicas.rename()]


def main() -> None:
    """Replace, and say what."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "str", "required": True},
            "project": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "needs": {"type": "list", "elements": "str", "required": True},
            "replicas": {"type": "int", "required": True},
            "replace": {"type": "list", "elements": "str", "default": []},
            "wait_seconds": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, replaced=[])
    try:
        replaced = replace(module.params)
    except DockerError as error:
        service = module.params["service"]
        module.fail_json(msg=f"{service}: a replica could not be replaced: {error}")
    module.exit_json(changed=bool(replaced), replaced=replaced)


if __name__ == "__main__":
    main()
