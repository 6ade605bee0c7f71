#!/usr/bin/python
"""Ansible module ``check_host_ports``: find host ports that another program holds, before anything is started.

Parameters: ``services``, the catalogue (``enabled``, ``host_ports`` and ``host_address`` count); ``project``, the
Compose project whose own published ports are no trouble; ``environment``, its name for the fix. Changes nothing. Fails
naming service, port and owner, or the address that this host does not have.
"""

from __future__ import annotations

import errno
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.diagnosis.ports import port_owner
from ansible.module_utils.stackwright.runtimes.compose.engine import (
    SilentEngineError,
    ask_engine,
    endpoint,
)

ADDRESSES = {"edge": "edge_bind_address"}
SETTINGS = {"edge": "edge_http_port and edge_https_port, or for all of them api_port"}


def trouble(address: str, port: int) -> int:
    """The errno with which binding fails, 0 if it does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno or 0
    return 0


def published_by(project: str) -> set[int]:
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
    troubles = [(name, port, bound, trouble(bound, port)) for name, port, bound in wanted]
    taken = [(name, port) for name, port, _, number in troubles if number == errno.EADDRINUSE]
    foreign = {name: bound for name, _, bound, number in troubles if number == errno.EADDRNOTAVAIL}
    try:
        ours = published_by(module.params["project"]) if taken else set()
    except SilentEngineError as silent:
        module.fail_json(msg=f"whose ports are taken cannot be told: {silent}", explained=True)
    place = f"inventories/group_vars/{module.params['environment']}/"
    problems = [
        f"{name}: host port {port} is taken by {port_owner(port) or 'another program'}. Free it, or give the "
        f"environment another port ({SETTINGS.get(name, 'for the API: api_port')} in {place} or -e api_port=…)"
        for name, port in taken
        if port not in ours
    ]
    # An engine on another machine has other addresses.
    if foreign and endpoint().startswith("unix:///"):
        problems += [
            f"{name}: {bound} is no address of this host. Set {ADDRESSES.get(name, 'api_bind_address')} in {place} "
            "to one that `ip address` shows, or to 127.0.0.1 or 0.0.0.0"
            for name, bound in foreign.items()
        ]
    if problems:
        module.fail_json(msg="\n".join(problems), explained=True)
    module.exit_json(changed=False, ports=[port for _, port, _ in wanted])


if __name__ == "__main__":
    main()
