#!/usr/bin/python
"""Ansible module ``check_host_ports``: find host ports that another program holds, before anything is started.

Parameters: ``services``, the catalogue (``enabled``, ``host_ports`` and ``host_address`` count); ``project``, the
Compose project whose own published ports are no trouble; ``environment``, its name for the fix. Changes nothing. Fails
naming service, port and owner.
"""

from __future__ import annotations

import errno
import socket
import subprocess

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.diagnosis import port_owner

ANSWER_SECONDS = 10
SETTINGS = {"edge": "edge_http_port and edge_https_port, or for all of them api_port"}


def is_taken(address: str, port: int) -> bool:
    """Whether binding fails because somebody listens there; other failures show when the service starts."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def published_by(project: str) -> set[int]:
    """The host ports of the project's containers, those included that are just being restarted.

    ``docker ps`` shows no ports of a container between two starts, while its port is still held.
    """
    listing = ["ps", "--quiet", "--filter", f"label=com.docker.compose.project={project}"]
    states = ["--filter", "status=running", "--filter", "status=restarting"]
    containers = _docker(*listing, *states).split()
    if not containers:
        return set()
    form = "{{range .HostConfig.PortBindings}}{{range .}}{{.HostPort}} {{end}}{{end}}"
    bounds = [text.split("-") for text in _docker("inspect", "--format", form, *containers).split()]
    return {port for bound in bounds for port in range(int(bound[0]), int(bound[-1]) + 1)}


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
    )
    return done.stdout


def main() -> None:
    """Try every port once."""
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "dict", "required": True},
            "project": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    services = module.params["services"].items()
    wanted = [
        (name, port, entry["host_address"])
        for name, entry in services
        if entry["enabled"]
        for port in entry["host_ports"]
    ]
    taken = [(name, port) for name, port, bound in wanted if is_taken(bound, port)]
    ours = published_by(module.params["project"]) if taken else set()
    place = f"inventories/group_vars/{module.params['environment']}/"
    problems = [
        f"{name}: host port {port} is taken by {port_owner(port) or 'another program'}. Free it, or give the "
        f"environment another port ({SETTINGS.get(name, 'for the API: api_port')} in {place} or -e api_port=…)"
        for name, port in taken
        if port not in ours
    ]
    if problems:
        module.fail_json(msg="\n".join(problems))
    module.exit_json(changed=False, ports=[port for _, port, _ in wanted])


if __name__ == "__main__":
    main()
