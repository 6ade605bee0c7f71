#!/usr/bin/python
"""Ansible module: find out why a phase failed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.diagnosis.evidence import Disk, Evidence
from ansible.module_utils.stackwright.diagnosis.match import diagnose, explain, mentioned_ports
from ansible.module_utils.stackwright.diagnosis.ports import port_owner
from ansible.module_utils.stackwright.secrets.masking import Masker
from ansible.module_utils.stackwright.system import NOT_FOUND, TIMED_OUT, run

DOCUMENTATION = """
module: explain_failure
short_description: Explain why a phase failed
description:
  - Runs on the host of the environment, collects evidence there, and returns cause, evidence and fix in one text.
  - Always succeeds, never reports a change; the play fails with the text afterwards. Works in check mode too.
options:
  environment: {type: str, required: true, description: Name of the environment.}
  runtime: {type: str, default: "", description: How it runs.}
  phase: {type: str, default: "", description: What failed, for example start.}
  failure: {type: str, default: "", description: What the failed command said.}
  evidence_commands: {type: dict, default: {}, description: "Argument list per name, for example 'log of api-web'; what
    it prints is evidence. A missing program or a failing one does no harm."}
  ports: {type: list, elements: int, default: [], description: Ports to find the owners of. Ports that the failure
    mentions are looked up anyway.}
  paths: {type: list, elements: str, default: [], description: Folders to measure free disk space of.}
  seconds: {type: int, default: 5, description: Longest time per evidence command.}
  secrets: {type: list, elements: raw, default: [], description: Texts and mappings of texts that must not be shown.}
"""

RETURN = """
explanation: {description: "Printable lines: what failed, cause, evidence, fix.", type: str}
diagnoses: {description: "All that was found, best first: rule, cause, evidence, source, fix, exit.", type: list}
exit: {description: Exit code of the best diagnosis in the sense of sysexits.h., type: int}
"""

ARGUMENTS = {
    "environment": {"type": "str", "required": True},
    "runtime": {"type": "str", "default": ""},
    "phase": {"type": "str", "default": ""},
    "failure": {"type": "str", "default": ""},
    "evidence_commands": {"type": "dict", "default": {}},
    "ports": {"type": "list", "elements": "int", "default": []},
    "paths": {"type": "list", "elements": "str", "default": []},
    "seconds": {"type": "int", "default": 5},
    "secrets": {"type": "list", "elements": "raw", "default": [], "no_log": True},
}


def collect(commands: Mapping[str, Any], seconds: float) -> dict[str, str]:
    """What each command prints, all of them at once. A missing program's name stays out."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        jobs = {
            name: pool.submit(run, [str(word) for word in argv or []], seconds)
            for name, argv in commands.items()
        }
        done = {name: job.result() for name, job in jobs.items()}
    return {
        name: f"{result.text}\n{name}: no answer in {seconds:g} s"
        if result.code == TIMED_OUT
        else result.text
        for name, result in done.items()
        if result.code != NOT_FOUND or result.out
    }


def disks(paths: Iterable[str]) -> list[Disk]:
    """Free space at each path, or at its nearest existing parent; one entry per file system."""
    found: dict[int, Disk] = {}
    for path in paths:
        existing = os.path.abspath(path)
        while not os.path.exists(existing) and existing != "/":
            existing = os.path.dirname(existing)
        try:
            facts = os.statvfs(existing)
            found.setdefault(
                os.stat(existing).st_dev,
                Disk(existing, facts.f_bavail * facts.f_frsize, facts.f_favail),
            )
        except OSError:
            continue
    return list(found.values())


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    evidence = Evidence(
        failure=given["failure"],
        sources=collect(given["evidence_commands"], given["seconds"]),
        disks=disks(given["paths"]),
        environment=given["environment"],
        runtime=given["runtime"],
        phase=given["phase"],
    )
    ports = {*given["ports"], *mentioned_ports(evidence)}
    owners = {port: owner for port in ports if (owner := port_owner(port))}
    evidence = replace(evidence, port_owners=owners).masked(Masker(given["secrets"]))
    found = diagnose(evidence)
    explanation = explain(evidence)
    module.exit_json(
        changed=False,
        explanation=explanation,
        diagnoses=[asdict(one) for one in found],
        exit=found[0].exit,
    )


if __name__ == "__main__":
    main()
