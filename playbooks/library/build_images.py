#!/usr/bin/python
"""Ansible module ``build_images``: build or pull every image that the engine does not have yet.

An image is named by the hash of what goes into it, so one that exists is up to date: an unchanged tree costs one
question to the engine and asks no builder. Stand-in base images are built by ``app/base/build``, our own by
``docker compose build``, finished ones are pulled.

Parameters: ``project_dir``; ``stand_ins``, stand-in references by kind (empty with a registry); ``images``, by service,
each with ``reference`` and ``context`` (empty for images that are not built here); ``only``, references beyond which
nothing is built or pulled (by default all are); ``output_dir`` with the rendered docker-compose.yml; ``ca_bundle``,
``pip_index_url``, ``debian_mirror`` for the stand-ins. Paths are the host's.
Returns ``changed``, ``present``, ``built`` (or pulled) and ``missing`` (references), and ``images``: by service those
that are there, as reference, identity and time of creation. Fails with ``msg`` in one sentence and ``stderr``. The
action plugin of the same name adds the bills of materials.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.images.engine_images import engine_images
from ansible.module_utils.stackwright.runtimes.compose.engine import SilentEngineError
from ansible.module_utils.stackwright.system import CommandError, run_checked

BUILD_SECONDS = 1800


class BuildError(Exception):
    """A build or pull that failed: what it was for, and what it printed."""

    def __init__(self, purpose: str, output: str) -> None:
        self.output = output
        super().__init__(f"{purpose} failed")


def build(purpose: str, command: list[str], **environment: str) -> None:
    """Run a command that has to succeed. Raises BuildError."""
    try:
        run_checked(command, BUILD_SECONDS, environment)
    except CommandError as failed:
        # Compose tells of the steps on the one output and of the end on the other.
        raise BuildError(purpose, failed.completed.text) from None


def build_or_pull(parameters: dict[str, Any], wanted: list[str], later: set[str]) -> None:
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
        build(
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
            build(f"pulling {reference}", ["docker", "pull", "--quiet", reference])
    if built:
        compose_file = f"{parameters['output_dir']}/docker-compose.yml"
        command = ["docker", "compose", "--file", compose_file, "--progress", "plain", "build"]
        command += sorted(built)
        build(f"building {', '.join(sorted(built))}", command, DOCKER_BUILDKIT="1")


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
        missing = [reference for reference in services if reference not in there]
        # Stand-ins only carry builds: with every service image there, nobody needs them.
        if missing or not services:
            stand_ins = [ref for ref in parameters["stand_ins"].values() if ref not in services]
            missing += sorted(set(stand_ins) - engine_images(stand_ins).keys(), key=stand_ins.index)
        only = parameters["only"]
        wanted = [reference for reference in missing if only is None or reference in only]
        if wanted and not module.check_mode:
            build_or_pull(parameters, wanted, set(missing) - set(wanted))
            there = engine_images(services)
    except SilentEngineError as silent:
        module.fail_json(
            msg="asking the engine for its images failed",
            stderr=silent.said,
            stderr_lines=silent.said.splitlines()[-40:],
        )
    except BuildError as failed:
        module.fail_json(
            msg=str(failed), stderr=failed.output, stderr_lines=failed.output.splitlines()[-40:]
        )
    present = [reference for reference in services if reference not in missing]
    facts = {name: (ref, *there[ref]) for name, ref in images.items() if ref in there}
    module.exit_json(
        changed=bool(wanted), present=present, built=wanted, missing=missing, images=facts
    )


if __name__ == "__main__":
    main()
