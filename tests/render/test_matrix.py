"""Rendering over a matrix of environments: valid files, the same bytes twice, complete previews, edits kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from stackwright.compose_check import check_schema, check_with_compose
from stackwright.images import service_images
from stackwright.rendering import RenderedFile, render_tree, template_context

from tests.support.project import GOOD_SECRET, Project, recap, tree
from tests.support.resolving import dev_values

MATRIX: dict[str, dict[str, Any]] = {
    "dev": {},
    "replicas": {"api_replicas": 3},
    "secret files": {"secrets_delivery": "file"},
    "labels": {"stack_labels": {"team": "payments", "note": 'a "b" $c'}},
    "subnet": {"stack_network_subnet": "172.30.7.0/24"},
    "ca bundle": {"build_ca_bundle": "/etc/ssl/certs/ca-certificates.crt"},
    "package index": {"build_pip_index_url": "https://index.example/simple"},
    "prefixed": {"stack_container_prefix": "qa-", "stack_project": "desafio3-qa"},
    "extra environment": {"api_environment": {"FEATURE": "on", "NOTE": "a # b"}},
}
RENDER = ("-e", "stack_runtime=embedded", "-e", "base_images=registry")
RELAXED = "{extends: default, rules: {line-length: disable, braces: disable}}"


def files_of(base_images: str, **changes: Any) -> dict[str, RenderedFile]:
    values = dev_values(**changes)
    return render_tree(template_context(values, service_images(values, base_images)))


@pytest.mark.parametrize("base_images", ["registry", "distro"])
@pytest.mark.parametrize("name", MATRIX)
def test_every_combination_is_a_valid_tidy_compose_file(name: str, base_images: str) -> None:
    files = files_of(base_images, **MATRIX[name])
    content = files["docker-compose.yml"].content
    document = check_schema(content)
    check_with_compose(files)
    assert list(document["services"]) == ["banco-dados", "cache-redis", "api-web"]
    assert b"\n\n\n" not in content
    linter = [str(Path(sys.executable).with_name("yamllint")), "-d", RELAXED, "-"]
    lint = subprocess.run(linter, input=content, capture_output=True, check=False)
    assert not [line for line in lint.stdout.decode().splitlines() if "error" in line]


def test_replicas_share_no_name_and_get_a_port_each() -> None:
    service = check_schema(files_of("registry", api_replicas=3)["docker-compose.yml"].content)
    api = service["services"]["api-web"]
    assert "container_name" not in api
    assert api["ports"] == ["0.0.0.0:5000-5002:5000"]
    assert api["deploy"]["replicas"] == 3


def test_dev_has_the_names_of_the_seed() -> None:
    document = check_schema(files_of("registry")["docker-compose.yml"].content)
    services = document["services"]
    assert {name: service["container_name"] for name, service in services.items()} == {
        name: name for name in ("banco-dados", "cache-redis", "api-web")
    }
    assert document["networks"]["backend"]["name"] == "desafio3-network"
    assert document["volumes"]["dados_postgres"]["name"] == "dados_postgres"
    assert services["api-web"]["image"].startswith("desafio3-api-web:")
    assert services["banco-dados"]["image"].startswith("desafio3-banco-dados:")
    assert services["cache-redis"]["image"] == "redis:7"
    assert services["api-web"]["ports"] == ["0.0.0.0:5000:5000"]
    assert "ports" not in services["banco-dados"]
    assert "ports" not in services["cache-redis"]


def test_secret_files_hold_the_secret_and_nothing_else_does() -> None:
    files = files_of("registry", secrets_delivery="file", db_password=GOOD_SECRET)
    holders = {path for path, file in files.items() if GOOD_SECRET.encode() in file.content}
    assert holders == {
        "secrets/api-web/db_password",
        "secrets/banco-dados/db_password",
        "secrets/embedded/db_password",
    }


def test_dev_prod_and_a_new_environment_render_and_twice_is_the_same(project: Project) -> None:
    vault = f"vault_db_password: {GOOD_SECRET!r}\n"
    project.environment("prod", "api_port: 5100", vault)
    project.environment("staging", "api_port: 5200", vault.replace("pT7", "qU8"))
    inventories = [
        word for name in ("dev", "prod", "staging") for word in ("-i", f"inventories/{name}.yml")
    ]
    key = ("--vault-password-file", str(project.password_file))
    first = project.run(*inventories, "playbooks/render.yml", *key, *RENDER)
    assert first.returncode == 0, first.output
    before = tree(project.folder / "generated")
    ports = [
        yaml.safe_load(before[f"{name}/docker-compose.yml"])["services"]["api-web"]["ports"][0]
        for name in ("dev", "prod", "staging")
    ]
    assert ports == ["0.0.0.0:5000:5000", "127.0.0.1:5100:5000", "127.0.0.1:5200:5000"]
    second = project.run(*inventories, "playbooks/render.yml", *key, *RENDER)
    assert recap(second.output)["changed"] == 0
    assert tree(project.folder / "generated") == before


def test_check_mode_shows_what_a_run_then_does_without_secrets(project: Project) -> None:
    output = project.output("dev")
    preview = project.run("playbooks/render.yml", *RENDER, "--check", "--diff")
    assert preview.returncode == 0, preview.output
    assert not output.exists()
    assert "admin123" not in preview.output
    assert "********" in preview.output
    project.run("playbooks/render.yml", *RENDER)
    content = (output / "docker-compose.yml").read_text()
    for line in content.splitlines():
        assert f"+{line}" in preview.output


def test_what_is_no_longer_rendered_is_removed(project: Project) -> None:
    project.run("playbooks/render.yml", *RENDER, "-e", "secrets_delivery=file")
    assert (project.output("dev") / "secrets/api-web/db_password").exists()
    project.run("playbooks/render.yml", *RENDER)
    assert not (project.output("dev") / "secrets/api-web/db_password").exists()


def test_an_edit_by_hand_is_named_and_kept_until_told_otherwise(project: Project) -> None:
    project.run("playbooks/render.yml", *RENDER)
    compose = project.output("dev") / "docker-compose.yml"
    edited = compose.read_text().replace("5000:5000", "5001:5000")
    compose.write_text(edited)
    done = project.run("playbooks/render.yml", *RENDER, "-e", "api_log_level=ERROR")
    assert done.returncode != 0
    assert "docker-compose.yml: was edited by hand" in done.output
    assert compose.read_text() == edited
    done = project.run("playbooks/render.yml", *RENDER, "-e", "render_overwrite_edits=true")
    assert done.returncode == 0, done.output
    assert "5001:5000" not in compose.read_text()
