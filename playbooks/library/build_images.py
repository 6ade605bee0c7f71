#!/usr/bin/python
"""Ansible module ``build_images``: get every image that the engine does not have yet.

An image is named by the hash of what goes into it, so one that exists is up to date: an unchanged tree costs one
question to the engine and asks no builder. Stand-in base images are built by ``app/base/build``, our own by
``docker compose build``, finished ones are pulled.

Parameters: ``project_dir``; ``stand_ins``, stand-in references by kind (empty with a registry); ``images``, by service,
each with ``reference`` and ``context`` (empty for images that are not built here); ``only``, references beyond which
nothing is obtained (by default all are); ``output_dir`` with the rendered docker-compose.yml; ``ca_bundle``,
``pip_index_url``, ``debian_mirror`` for the stand-ins. Paths are the host's.
Returns ``changed``, ``present``, ``obtained`` and ``lacking`` (references), and ``images``: by service those that are
there, as reference, identity and time of creation. Fails with ``msg`` in one sentence and ``stderr``. The action plugin
of the same name adds the bills of materials.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ANSWER_SECONDS = 30
BUILD_SECONDS = 1800


class CommandFailedError(Exception):
    """A command that failed: what it was for, and what it printed."""

    def __init__(self, purpose: str, output: str) -> None:
        self.output = output
        super().__init__(f"{purpose} failed")


def run(
    purpose: str, command: list[str], seconds: int, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with more environment. Raises CommandFailedError when it cannot be run or takes too long."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, **environment},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailedError(purpose, str(error)) from None


def insist(purpose: str, command: list[str], **environment: str) -> None:
    """Run a command that has to succeed."""
    done = run(purpose, command, BUILD_SECONDS, **environment)
    if done.returncode != 0:
        # Compose tells of the steps on the one and of the end on the other.
        raise CommandFailedError(purpose, f"{done.stdout}\n{done.stderr}".strip())


def engine_images(references: list[str]) -> dict[str, tuple[str, str]]:
    """Identity and time of creation of those that the engine has, with one call whatever their number."""
    if not references:
        return {}
    inspect = ["docker", "image", "inspect", *references]
    done = run("asking the engine for its images", inspect, ANSWER_SECONDS)
    if done.returncode != 0 and "no such image" not in done.stderr.lower():
        raise CommandFailedError("asking the engine for its images", done.stderr)
    found: dict[str, tuple[str, str]] = {}
    for image in json.loads(done.stdout or "[]"):
        names = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]
        found |= dict.fromkeys(names, (image["Id"], image["Created"]))
    return {
        reference: found[listed_as(reference)]
        for reference in references
        if listed_as(reference) in found
    }


def listed_as(reference: str) -> str:
    """How the engine lists an image: one with a digest without its tag."""
    name, at, digest = reference.partition("@")
    if not at:
        return reference
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"


def obtain(parameters: dict[str, Any], wanted: list[str], later: set[str]) -> None:
    """Build or pull what is wanted: base images first, then those of the services. Leaves what is for ``later``."""
    images = parameters["images"]
    built = {
        name for name, image in images.items() if image["context"] and image["reference"] in wanted
    }
    stand_ins = {
        kind: reference
        for kind, reference in parameters["stand_ins"].items()
        if reference not in later
    }
    bases = set(stand_ins.values()) & set(wanted)
    if bases:
        insist(
            "building the stand-in base images",
            ["sh", f"{parameters['project_dir']}/app/base/build"]
            + [f"{kind}={reference}" for kind, reference in stand_ins.items()],
            CA_BUNDLE=parameters["ca_bundle"],
            PIP_INDEX_URL=parameters["pip_index_url"],
            DEBIAN_MIRROR=parameters["debian_mirror"],
        )
    for image in images.values():
        reference = image["reference"]
        if not image["context"] and reference in wanted and reference not in bases:
            insist(f"pulling {reference}", ["docker", "pull", "--quiet", reference])
    if built:
        compose_file = f"{parameters['output_dir']}/docker-compose.yml"
        command = [
            "docker",
            "compose",
            "--file",
            compose_file,
            "--progress",
            "plain",
            "build",
            *sorted(built),
        ]
        insist(f"building {', '.join(sorted(built))}", command, DOCKER_BUILDKIT="1")


def main() -> None:
    """Ask, then get what is missing."""
    module = AnsibleModule(
        argument_spec={
            "project_dir": {"type": "path", "required": True},
            "output_dir": {"type": "path", "default": ""},
            "stand_ins": {"type": "dict", "required": True},
            "images": {"type": "dict", "default": {}},
            "ca_bundle": {"type": "str", "default": ""},
            "pip_index_url": {"type": "str", "default": "", "no_log": True},
            "debian_mirror": {"type": "str", "required": True},
            "only": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    images = {name: image["reference"] for name, image in parameters["images"].items()}
    services = list(dict.fromkeys(images.values()))
    try:
        there = engine_images(services)
        lacking = [reference for reference in services if reference not in there]
        # Stand-ins only carry builds: with every service image there, nobody needs them.
        if lacking or not services:
            stand_ins = [ref for ref in parameters["stand_ins"].values() if ref not in services]
            lacking += sorted(set(stand_ins) - engine_images(stand_ins).keys(), key=stand_ins.index)
        only = parameters["only"]
        wanted = [reference for reference in lacking if only is None or reference in only]
        if wanted and not module.check_mode:
            obtain(parameters, wanted, set(lacking) - set(wanted))
            there = engine_images(services)
    except CommandFailedError as failed:
        module.fail_json(
            msg=str(failed), stderr=failed.output, stderr_lines=failed.output.splitlines()[-40:]
        )
    present = [reference for reference in services if reference not in lacking]
    facts = {name: (ref, *there[ref]) for name, ref in images.items() if ref in there}
    module.exit_json(
        changed=bool(wanted), present=present, obtained=wanted, lacking=lacking, images=facts
    )


if __name__ == "__main__":
    main()
