#!/usr/bin/python
"""Ansible module: run an environment as local processes under supervisord."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.runtimes.embedded.folder import (
    EmbeddedError,
    Folder,
    ProgramError,
    logs,
)
from ansible.module_utils.stackwright.runtimes.embedded.health import status
from ansible.module_utils.stackwright.runtimes.embedded.lifecycle import start, stop
from ansible.module_utils.stackwright.runtimes.embedded.processes import UnprivilegedError

DOCUMENTATION = """
module: embedded_stack
short_description: Run an environment as local processes under supervisord
description:
  - Runs on the host of the environment, which must be Linux, with the interpreter that has the project's packages.
  - Takes everything from the rendered files below output_dir, so it never runs what was not validated.
  - A started environment in which nothing has changed is left alone, and no process is restarted.
  - Data in output_dir/embedded/data outlive a stop.
  - A failure that explains itself, unlike a program that ends again and again, has C(explained) true.
options:
  output_dir: {type: path, required: true, description: Folder with the rendered files of the environment.}
  state: {type: str, choices: [started, stopped, status, logs], default: started, description: "What to do.
    C(started) starts what does not run, restarts what has changed, and waits until everything is healthy."}
  timeout: {type: int, default: 120, description: Longest time in seconds that starting or stopping may take.}
  service: {type: str, default: "", description: "For C(logs): one service or C(supervisord); all services if empty."}
  lines: {type: int, default: 50, description: "For C(logs): last lines per service."}
"""

RETURN = """
lines: {description: Printable lines., type: list, returned: always}
services: {description: "One item per service in start order: service, state (as supervisord has it), health (healthy,
  unhealthy, or empty if it does not run), pid, uptime in seconds, port, version.", type: list,
  returned: for started (not in check mode) and status}
started: {description: Services that had no process and were started., type: list, returned: for started}
restarted: {description: Services that were restarted because they had changed., type: list, returned: for started}
stopped: {description: Services that are no longer part of the environment., type: list, returned: for started}
migrations: {description: "Migrations that were applied, and C(roles) if they had to be put right.", type: list,
  returned: for started}
seconds: {description: How long it took until everything was healthy., type: float, returned: for started}
logs: {description: Last lines by service., type: dict, returned: for logs}
"""

ARGUMENTS = {
    "output_dir": {"type": "path", "required": True},
    "state": {
        "type": "str",
        "choices": ["started", "stopped", "status", "logs"],
        "default": "started",
    },
    "timeout": {"type": "int", "default": 120},
    "service": {"type": "str", "default": ""},
    "lines": {"type": "int", "default": 50},
}


def started(folder: Folder, given: dict[str, Any], check: bool) -> dict[str, Any]:
    """Start or bring up to date."""
    outcome = start(folder, given["timeout"], check)
    done = {"started": outcome.started, "restarted": outcome.restarted, "stopped": outcome.stopped}
    done["migrated"] = outcome.migrations
    would = "would be " if check else ""
    lines = [f"{would}{verb}: {', '.join(names)}" for verb, names in done.items() if names]
    result = asdict(outcome) | {
        "changed": outcome.changed,
        "lines": lines or ["nothing to do, all healthy"],
    }
    if not check:
        rows = status(folder)
        result |= {"services": [asdict(row) for row in rows]}
        result["lines"] += [row.line for row in rows] if outcome.changed else []
    return result


def stopped(folder: Folder, given: dict[str, Any], check: bool) -> dict[str, Any]:
    """Stop."""
    names = stop(folder, given["timeout"], check)
    would = "would be " if check else ""
    lines = [f"{would}stopped: {', '.join(names)}", f"data kept in {folder.data}"]
    return {"changed": bool(names), "lines": lines if names else ["nothing ran"]}


def shown(folder: Folder, given: dict[str, Any], _check: bool) -> dict[str, Any]:
    """Status."""
    rows = status(folder)
    return {
        "changed": False,
        "services": [asdict(row) for row in rows],
        "lines": [row.line for row in rows],
    }


def read(folder: Folder, given: dict[str, Any], _check: bool) -> dict[str, Any]:
    """Logs, each line with its service in front as `docker compose logs` has it."""
    found = logs(folder, given["service"], given["lines"])
    width = max(map(len, found))
    lines = [f"{name:<{width}} | {line}" for name, tail in found.items() for line in tail]
    return {"changed": False, "logs": found, "lines": lines}


STATES = {"started": started, "stopped": stopped, "status": shown, "logs": read}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    folder = Folder(Path(given["output_dir"]) / "embedded")
    try:
        result = STATES[given["state"]](folder, given, module.check_mode)
    except (EmbeddedError, UnprivilegedError) as error:
        module.fail_json(msg=str(error), explained=not isinstance(error, ProgramError))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
