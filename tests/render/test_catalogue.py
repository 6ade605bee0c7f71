"""A fourth service takes one catalogue entry, one settings section and one partial, and no playbook edit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.project import Project

CATALOGUE = """
  adminer:
    title: Adminer
    enabled: "{{ adminer_enabled }}"
    needs: [banco-dados]
    container_ports: [8080]
    host_ports: ["{{ adminer_port }}"]
    host_address: 127.0.0.1
    user: "65534:65534"
    limits: {memory: 128m, cpus: 0.5, pids: 64}
    health_test: [CMD, "true"]
    grace_seconds: 10
    memory_folders: {/tmp: 16}
    secrets: []
    image: "{{ adminer_image }}"
"""
DEFAULTS = """---
# A database client in the browser.

# Whether the environment has it, its image and its port on this host. It is off by default.
# @schema {type: boolean}
adminer_enabled: false
# @schema {type: string, allowed: an image reference}
adminer_image: adminer:4
# @schema {$ref: api_port}
adminer_port: 8080
"""
PARTIAL = '{% extends "service.yml.j2" %}\n'
PIECES = {
    "catalogue": ("inventories/group_vars/all/services.yml", CATALOGUE, True),
    "defaults": ("inventories/group_vars/all/adminer.yml", DEFAULTS, False),
    "partial": ("templates/services/adminer.yml.j2", PARTIAL, False),
}
RENDER = ("playbooks/render.yml", "-e", "stack_runtime=embedded", "-e", "base_images=registry")


def add(project: Project, *pieces: str) -> None:
    for piece in pieces:
        path, text, append = PIECES[piece]
        old = (project.folder / path).read_text() if append else ""
        project.write(path, old + text)


def services(project: Project) -> dict[str, object]:
    document = yaml.safe_load((project.output("dev") / "docker-compose.yml").read_text())
    return dict(document["services"])


def test_a_fourth_service_is_off_by_default_and_on_by_its_setting(project: Project) -> None:
    add(project, *PIECES)
    done = project.run(*RENDER)
    assert done.returncode == 0, done.output
    assert list(services(project)) == ["banco-dados", "cache-redis", "api-web"]

    done = project.run(*RENDER, "-e", "adminer_enabled=true", "-e", "adminer_port=8081")
    assert done.returncode == 0, done.output
    service = services(project)["adminer"]
    assert isinstance(service, dict)
    assert service["ports"] == ["127.0.0.1:8081:8080"]
    assert service["container_name"] == "adminer"
    assert service["depends_on"] == {"banco-dados": {"condition": "service_healthy"}}
    manifest = json.loads((project.output("dev") / "manifest.json").read_text())
    assert "adminer" in manifest["images"]
    assert "adminer" not in manifest["services"]
    assert "the embedded runtime has no adminer" in done.output


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("rule", "adminer_port: has no `# @schema {…}` right above it"),
        ("default", "stack_services: 'adminer_port' is undefined"),
        ("catalogue", "stack_services: has no entry for adminer, which has a partial"),
        ("partial", "templates/services/adminer.yml.j2 is missing"),
    ],
)
def test_a_missing_piece_is_named(project: Project, missing: str, said: str) -> None:
    add(project, *(piece for piece in PIECES if piece != missing))
    record = "# @schema {$ref: api_port}\nadminer_port: 8080\n"
    left = {"rule": "adminer_port: 8080\n", "default": ""}.get(missing, record)
    project.write(PIECES["defaults"][0], DEFAULTS.replace(record, left))
    done = project.run(*RENDER, "-e", "adminer_enabled=true")
    assert done.returncode != 0
    assert said in done.output
    assert not Path(project.output("dev") / "docker-compose.yml").exists()
