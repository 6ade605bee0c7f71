#!/usr/bin/python
"""Ansible module ``build_images``: build or pull images that the engine does not have.

Stand-in base images are built by ``app/base/build``, our own by ``docker compose build``, finished ones are pulled.

Parameters: ``only``, the references to build or pull now; ``later``, those that are missing, too, and follow;
``stand_ins``, stand-in references by kind (empty with a registry); ``images``, by service, each with ``reference`` and
``context`` (empty for images that are not built here); ``project_dir``; ``output_dir`` with the rendered
docker-compose.yml; ``ca_bundle``, ``pip_index_url``, ``debian_mirror`` for the stand-ins. Paths are the host's.
Fails with ``msg`` in one sentence and ``stderr``. The action plugin of the same name says what is missing.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
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


def build_or_pull(parameters: dict[str, Any]) -> None:
    """Build or pull what is wanted: base images first, then those of the services. Raises BuildError."""
    images, wanted, later = parameters["images"], parameters["only"], parameters["later"]
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
    """Build and pull."""
    module = AnsibleModule(
        argument_spec={
            "only": {"type": "list", "elements": "str", "required": True},
            "later": {"type": "list", "elements": "str", "default": []},
            "project_dir": {"type": "path", "required": True},
            "output_dir": {"type": "path", "default": ""},
            "stand_ins": {"type": "dict", "required": True},
            "images": {"type": "dict", "default": {}},
            "ca_bundle": {"type": "str", "default": ""},
            "pip_index_url": {"type": "str", "default": "", "no_log": True},
            "debian_mirror": {"type": "str", "required": True},
        },
    )
    try:
        build_or_pull(module.params)
    except BuildError as failed:
        lines = failed.output.splitlines()[-40:]
        module.fail_json(msg=str(failed), stderr=failed.output, stderr_lines=lines)
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
