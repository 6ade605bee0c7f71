#!/usr/bin/python
"""Ansible module: prove that a running environment keeps its promises."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.secrets.masking import Masker
from ansible.module_utils.stackwright.system import ANSWER_SECONDS, run
from ansible.module_utils.stackwright.verification.runner import verify
from ansible.module_utils.stackwright.verification.target import Edge, Target, target_from

DOCUMENTATION = """
module: verify_environment
short_description: Prove that a running environment keeps its promises
description:
  - Runs on the host of the environment and proves, in this order, health, versions, schema, seed tasks, cache, create,
    update and delete with the invalidation each must cause, TTL and content of the cached list, and closed ports.
  - Of another application than the tasks API it proves health, versions, what app_checks declares, and closed ports.
  - Knows nothing about the runtime. How to run SQL and redis-cli and where logs are comes in as argument lists.
  - Removes the tasks it creates, also after a failed proof, and those of an earlier verification that was killed.
  - The action plugin of the same name looks from outside, too, and writes the report.
  - Fails on the first broken promise. Never reports a change. In check mode it does nothing and says so.
options:
  target: {type: dict, required: true, description: "What to verify, see stackwright.verification.target."}
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
    "target": {"type": "dict", "required": True},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
}


def _with_token(module: AnsibleModule, target: Target) -> Target:
    """The target with its token, which is never an argument: arguments are logged."""
    if not target.token_file:
        return target
    try:
        return replace(target, token=Path(target.token_file).read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror
    fix = "verify as the user who rendered the environment, or as root"
    module.fail_json(msg=f"the token {target.token_file} cannot be read: {reason}; {fix}")
    raise AssertionError("fail_json ends the module")


def _authority(edge: Edge | None) -> str:
    """Whom clients have to trust, in PEM; empty where that is nobody besides their own."""
    return run(edge.ca_command, ANSWER_SECONDS).out if edge and edge.ca_command else ""


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
    target = _with_token(module, target_from(module.params["target"]))
    try:
        masker = Masker([*module.params["secrets"], target.token])
        outcome = verify(target, Path(target.folder), masker)
    except OSError as error:
        module.fail_json(msg=f"{target.folder} cannot be opened: {error.strerror}")
    facts = outcome.as_json()
    results = {
        name: facts[name] for name in ("proofs", "services", "seeded_tasks", "seconds", "leftovers")
    }
    results["lines"] = [proof.line for proof in outcome.proofs]
    results["report"] = facts
    for leftover in outcome.leftovers:
        module.warn(leftover)
    if outcome.ok:
        results["authority"] = _authority(target.edge)
        module.exit_json(changed=False, **results)
    module.fail_json(msg=outcome.message, changed=False, **results)


if __name__ == "__main__":
    main()
