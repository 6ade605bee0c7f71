#!/usr/bin/python
"""Ansible module: prove that a running environment keeps its promises."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.secrets.masking import Masker
from ansible.module_utils.stackwright.system import run
from ansible.module_utils.stackwright.verification.runner import verify
from ansible.module_utils.stackwright.verification.target import (
    DEFAULT_ROLES,
    ClosedPort,
    Edge,
    SeedTask,
    Target,
)

ANSWER_SECONDS = 15

DOCUMENTATION = """
module: verify_environment
short_description: Prove that a running environment keeps its promises
description:
  - Runs on the host of the environment and proves, in this order, health, versions, schema, seed tasks, cache, create,
    update and delete with the invalidation each must cause, TTL and content of the cached list, and closed ports.
  - Knows nothing about the runtime. How to run SQL and redis-cli and where logs are comes in as argument lists.
  - Removes the tasks it creates, also after a failed proof, and those of an earlier verification that was killed.
  - The action plugin of the same name looks from outside, too, and writes the report.
  - Fails on the first broken promise. Never reports a change. In check mode it does nothing and says so.
options:
  environment: {type: str, required: true, description: Name of the environment.}
  runtime: {type: str, required: true, description: How it runs, for messages and the report.}
  base_url: {type: str, required: true, description: Address of the API without a slash at the end.}
  sql_command: {type: list, elements: str, required: true, description: Argument list to which one SQL statement is
    appended; prints unaligned rows only (psql -XAtq -c).}
  sql_environment: {type: dict, default: {}, description: Environment variables for sql_command and version commands.}
  redis_command: {type: list, elements: str, required: true, description: Argument list of redis-cli to which a
    command is appended.}
  expected_services: {type: dict, default: {}, description: Argument list per service that prints its version; an empty
    one asks the API itself.}
  log_commands: {type: dict, default: {}, description: Argument list per service that prints its last log lines.}
  closed_ports: {type: list, elements: dict, default: [], description: Ports that must refuse connections.}
  address_command: {type: list, elements: str, default: [], description: "Argument list that prints addresses and
    published ports of the environment's containers, to tell its own open ports from others'."}
  edge: {type: dict, default: {}, description: "The proxy the API is reached through: host, address, http_port,
    hsts_seconds, max_body_bytes, ca_command. Empty: none."}
  token_file: {type: path, default: "", description: "File with a token of the API that may do everything. Empty: none
    is asked for."}
  public_reads: {type: bool, default: true, description: Whether tasks may be read without a token.}
  seed_tasks: {type: list, elements: dict, default: [], description: Tasks that the schema brings with it.}
  schema_version: {type: int, description: Highest migration; by default any, without a gap.}
  roles: {type: dict, default: {}, description: Service name per role api, database and cache.}
  cache_ttl: {type: int, default: 60, description: Longest life of a cached answer in seconds.}
  folder: {type: path, required: true, description: "The environment's folder, locked meanwhile."}
  deadline: {type: int, default: 120, description: Longest time for everything in seconds.}
  health_wait: {type: int, default: 60, description: Longest time to wait for health in seconds.}
  secrets: {type: list, elements: str, default: [], description: Texts that must not be shown.}
"""

RETURN = """
proofs: {description: "One item per proof: name, ok, text, seconds, evidence.", type: list}
lines: {description: One printable line per proof., type: list}
services: {description: Version per service., type: dict}
seeded_tasks: {description: How many of the seed tasks exist., type: int}
seconds: {description: How long it took., type: float}
leftovers: {description: Probe tasks that could not be removed; also warnings., type: list}
report: {description: The whole outcome., type: dict}
authority: {description: "What ca_command printed: whom clients have to trust.", type: str}
"""

ARGUMENTS = {
    "environment": {"type": "str", "required": True},
    "runtime": {"type": "str", "required": True},
    "base_url": {"type": "str", "required": True},
    "sql_command": {"type": "list", "elements": "str", "required": True},
    "sql_environment": {"type": "dict", "default": {}, "no_log": True},
    "redis_command": {"type": "list", "elements": "str", "required": True},
    "expected_services": {"type": "dict", "default": {}},
    "log_commands": {"type": "dict", "default": {}},
    "closed_ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
            "service": {"type": "str", "required": True},
        },
    },
    "address_command": {"type": "list", "elements": "str", "default": []},
    "edge": {"type": "dict", "default": {}},
    "token_file": {"type": "str", "default": "", "no_log": False},
    "public_reads": {"type": "bool", "default": True},
    "seed_tasks": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "id": {"type": "int", "required": True},
            "title": {"type": "str", "required": True},
            "description": {"type": "str", "required": True},
            "status": {"type": "str", "required": True},
        },
    },
    "schema_version": {"type": "int"},
    "roles": {"type": "dict", "default": {}},
    "cache_ttl": {"type": "int", "default": 60},
    "folder": {"type": "path", "required": True},
    "deadline": {"type": "int", "default": 120},
    "health_wait": {"type": "int", "default": 60},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
}


def target_of(arguments: Mapping[str, Any], token: str = "") -> Target:
    """The target that the module's arguments describe, with the token in its file."""
    same = (
        "environment runtime base_url sql_command redis_command sql_environment address_command schema_version "
        "cache_ttl deadline health_wait public_reads"
    )
    return Target(
        **{name: arguments[name] for name in same.split()},
        token=token,
        seed_tasks=[SeedTask(**task) for task in arguments["seed_tasks"]],
        closed_ports=[ClosedPort(**port) for port in arguments["closed_ports"]],
        edge=Edge(**arguments["edge"]) if arguments["edge"] else None,
        expected_services=_commands(arguments["expected_services"]),
        log_commands=_commands(arguments["log_commands"]),
        roles=DEFAULT_ROLES | arguments["roles"],
    )


def _commands(given: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: [str(word) for word in argv or []] for name, argv in given.items()}


def _token(module: AnsibleModule) -> str:
    """The token, which is never an argument: arguments are logged."""
    path = module.params["token_file"]
    try:
        return Path(path).read_text(encoding="utf-8") if path else ""
    except OSError as error:
        reason = error.strerror
    fix = "verify as the user who rendered the environment, or as root"
    module.fail_json(msg=f"the token {path} cannot be read: {reason}; {fix}")
    raise AssertionError("fail_json ends the module")


def _authority(edge: Mapping[str, Any]) -> str:
    """Whom clients have to trust, in PEM; empty where that is nobody besides their own."""
    command = edge.get("ca_command")
    return run(command, ANSWER_SECONDS).out if command else ""


def _stop(number: int, _frame: object) -> NoReturn:
    """End by an exception, so that what was created is removed."""
    sys.exit(128 + number)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if module.check_mode:
        text = "check mode: nothing was verified"
        module.exit_json(
            changed=False, msg=text, lines=[text], proofs=[], services={}, seeded_tasks=0
        )
    signal.signal(signal.SIGTERM, _stop)
    folder = Path(module.params["folder"])
    token = _token(module)
    try:
        masker = Masker([*module.params["secrets"], token])
        outcome = verify(target_of(module.params, token), folder, masker)
    except OSError as error:
        module.fail_json(msg=f"{folder} cannot be opened: {error.strerror}")
    facts = outcome.as_json()
    results = {
        name: facts[name] for name in ("proofs", "services", "seeded_tasks", "seconds", "leftovers")
    }
    results["lines"] = [proof.line for proof in outcome.proofs]
    results["report"] = facts
    for leftover in outcome.leftovers:
        module.warn(leftover)
    if outcome.ok:
        results["authority"] = _authority(module.params["edge"])
        module.exit_json(changed=False, **results)
    module.fail_json(msg=outcome.message, changed=False, **results)


if __name__ == "__main__":
    main()
