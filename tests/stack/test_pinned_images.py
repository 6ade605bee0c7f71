"""An engine gets a pinned image from a registry, by its digest, once."""

from __future__ import annotations

import pytest

from tests.stack.containers import docker
from tests.support.project import Project, recap
from tests.support.registry import registry

pytestmark = pytest.mark.docker


def test_a_pinned_image_is_pulled_by_digest_and_stays_known(project: Project) -> None:
    with registry() as served:
        digest = served.add("redis", "7", {"first": b"1"}, Cmd=["/first"])
        tagged = f"{served.address}/redis:7"
        pinned = f"{served.address}/redis@{digest}"
        project.environment("swpin")
        project.write(
            "task.yml",
            "---\n- hosts: all\n  gather_facts: false\n  tasks:\n    - build_images:\n"
            f"        project_dir: '{project.folder}'\n        stand_ins: {{}}\n        debian_mirror: x\n"
            f"        images: {{cache: {{reference: '{tagged}@{digest}', context: ''}}}}\n",
        )
        run = ("-i", "inventories/swpin.yml", "-M", "playbooks/library", "task.yml")
        try:
            # The tag moves on: what was pinned is what comes.
            served.add("redis", "7", {"second": b"2"}, Cmd=["/second"])
            first = project.run(*run)
            assert recap(first.output)["changed"] == 1, first.output
            command = docker("image", "inspect", "--format", "{{.Config.Cmd}}", pinned).stdout
            assert command.strip() == "[/first]"
            assert recap(project.run(*run).output)["changed"] == 0
        finally:
            docker("image", "rm", pinned, check=False)
