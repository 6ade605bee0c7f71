"""`make pin`: digests are recorded as a whole or not at all, and a second run changes nothing."""

from __future__ import annotations

import yaml

from tests.support.project import Project, recap
from tests.support.registry import registry

PIN = ("-i", "inventories/dev.yml", "playbooks/pin_images.yml")


def settings(address: str) -> str:
    """dev with base images of a registry on loopback."""
    return "".join(
        f"{kind}_base_image: {address}/{kind}:1\n"
        for kind in ("python", "postgres", "redis", "caddy")
    )


def test_digests_are_recorded_once_and_rendered(project: Project) -> None:
    record = project.inventories / "group_vars/all/digests.yml"
    with registry() as served:
        project.write("inventories/group_vars/dev/zz.yml", f"---\n{settings(served.address)}")
        digests = {
            f"{served.address}/{kind}:1": served.add(kind, "1", {"kind": kind.encode()})
            for kind in ("python", "postgres", "redis", "caddy")
        }
        shown = project.run(*PIN, "--check")
        assert recap(shown.output)["changed"] == 1
        assert yaml.safe_load(record.read_text()) == {"image_digests": {}}
        assert project.run(*PIN).returncode == 0
        assert yaml.safe_load(record.read_text()) == {"image_digests": digests}
        assert recap(project.run(*PIN).output)["changed"] == 0
    done = project.render(
        "-i", "inventories/dev.yml", "-e", "stack_runtime=embedded", "-e", "base_images=registry"
    )
    assert done.returncode == 0, done.output
    compose = yaml.safe_load((project.output("dev") / "docker-compose.yml").read_text())["services"]
    built_on = compose["api-web"]["build"]["args"]["PYTHON_BASE"]
    for reference in (built_on, compose["cache-redis"]["image"]):
        tag, _, digest = reference.partition("@")
        assert digests[tag] == digest


def test_one_silent_registry_leaves_the_record_as_it_was(project: Project) -> None:
    record = project.inventories / "group_vars/all/digests.yml"
    before = record.read_bytes()
    with registry() as served:
        project.write("inventories/group_vars/dev/zz.yml", f"---\n{settings(served.address)}")
        served.add("python", "1", {})
        served.add("redis", "1", {})
        served.add("caddy", "1", {})
        done = project.run(*PIN)
    assert done.returncode != 0
    assert "image_digests" in done.output
    assert "/postgres:1: the registry answers 404" in done.output
    assert record.read_bytes() == before
