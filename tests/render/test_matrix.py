"""Every kind of environment renders to files that Compose, its specification and a linter take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from stackwright.rendering.compose_file import check_schema
from stackwright.rendering.prepare import prepare
from yamllint import linter
from yamllint.config import YamlLintConfig

from tests.support.composing import CHOICES, config
from tests.support.project import OTHER_SECRETS, ROOT
from tests.support.resolving import dev_values

FILE_SECRETS = {"secrets_delivery": "file"}
REPLICAS: dict[str, Any] = {"api_replicas": 3}
MATRIX: dict[str, dict[str, Any]] = {
    "dev": {},
    "file_secrets": FILE_SECRETS,
    "strict": {
        **FILE_SECRETS,
        "secrets_strict": True,
        "db_app_user": "tasks_app",
        "cache_user": "tasks_api",
        **{name: f"a long one of its own: {name}" for name in ("db_password", *OTHER_SECRETS)},
    },
    "replicas": REPLICAS,
    "labels": {"stack_labels": {"team": "payments", "org.example/cost-center": "no: 42 # $x"}},
    "subnet": {"stack_network_subnet": "172.30.5.0/24"},
    "ca_bundle": {"build_ca_bundle": "/etc/ssl/cert's $.pem"},
    "index": {"build_pip_index_url": "https://user:p$w@mirror.example/simple?a=b"},
    "everything": {
        **FILE_SECRETS,
        **REPLICAS,
        "stack_labels": {"a": "b"},
        "stack_network_subnet": "10.9.8.0/24",
        "build_ca_bundle": "/ca.pem",
        "api_environment": {"A": "b\nc"},
        "stack_container_prefix": "shop-",
    },
    "other_ports": {"api_port": 5044, "db_port": 5555, "cache_port": 6666},
}


def values_of(name: str) -> dict[str, Any]:
    return dev_values(**MATRIX[name])


@pytest.fixture(
    params=[(name, base) for name in MATRIX for base in ("registry", "distro")], ids="-".join
)
def environment(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, bytes], Any]:
    name, base = request.param
    values = values_of(name)
    prepared = prepare(values, CHOICES | {"base_images": base})
    return values, {path: file.content for path, file in prepared.files.items()}, prepared.files


def test_the_file_fits_the_specification_and_compose_takes_it(
    environment: tuple[dict[str, Any], dict[str, bytes], Any], tmp_path: Path
) -> None:
    values, contents, files = environment
    document = check_schema(contents["docker-compose.yml"])
    understood = config(files, tmp_path)
    enabled = {name for name, entry in values["stack_services"].items() if entry["enabled"]}
    assert set(understood["services"]) == set(document["services"]) == enabled
    for name, service in understood["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged", False)
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
        labels = dict(service.get("labels", {}))
        assert ("stackwright.secrets" in labels) == bool(service.get("secrets"))
        labels.pop("stackwright.secrets", None)
        assert labels == values["stack_labels"]
        assert bool(service.get("ports")) == (name == "api-web")
    assert understood["name"] == values["stack_project"]
    (network,) = understood["networks"].values()
    assert network["name"] == values["stack_network"]
    assert network.get("ipam", {}) == (
        {"config": [{"subnet": values["stack_network_subnet"]}]}
        if values["stack_network_subnet"]
        else {}
    )


def test_the_file_is_lint_clean(environment: tuple[dict[str, Any], dict[str, bytes], Any]) -> None:
    rules = yaml.safe_load((ROOT / ".yamllint").read_text(encoding="utf-8"))
    rules["rules"] |= {"line-length": "disable", "document-start": "disable"}
    settings = YamlLintConfig(json.dumps(rules))
    text = environment[1]["docker-compose.yml"].decode()
    assert [str(problem) for problem in linter.run(text, settings)] == []
    assert "\n\n\n" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_rendering_is_the_same_every_time(
    environment: tuple[dict[str, Any], dict[str, bytes], Any],
) -> None:
    values, contents, _ = environment
    base = "distro" if b"localhost/stackwright-" in contents["docker-compose.yml"] else "registry"
    again = prepare(values, CHOICES | {"base_images": base})
    assert {path: file.content for path, file in again.files.items()} == contents


def test_secrets_are_only_where_their_delivery_puts_them(
    environment: tuple[dict[str, Any], dict[str, bytes], Any],
) -> None:
    values, contents, files = environment
    names = ("db_password", *OTHER_SECRETS)
    having = {
        path
        for path, content in contents.items()
        if any(values[name].encode() in content for name in names)
    }
    made_of_secrets = {path for path in contents if path.endswith("/users.acl")}
    files_of_secrets = {path for path in contents if path.startswith("secrets/")} - made_of_secrets
    files_of_secrets -= {"secrets/pip_index_url"}
    assert len(made_of_secrets) == 1
    if values["secrets_delivery"] == "file":
        assert having == files_of_secrets
    else:
        assert having
        assert not files_of_secrets
    assert "docker-compose.yml" not in having
    for path in having:
        assert files[path].mode in (0o600, 0o400)


def test_replicas_get_a_range_of_ports_and_no_fixed_name(tmp_path: Path) -> None:
    understood = config(prepare(values_of("replicas"), CHOICES).files, tmp_path)
    api = understood["services"]["api-web"]
    assert "container_name" not in api
    assert api["deploy"]["replicas"] == 3
    assert [(port["published"], port["target"]) for port in api["ports"]] == [("5000-5002", 5000)]


def test_a_single_api_keeps_the_seeds_name_and_port(tmp_path: Path) -> None:
    understood = config(prepare(values_of("dev"), CHOICES).files, tmp_path)
    names = {name: service["container_name"] for name, service in understood["services"].items()}
    assert names == {name: name for name in ("api-web", "banco-dados", "cache-redis")}
    assert understood["services"]["api-web"]["ports"][0]["published"] == "5000"
    needs = understood["services"]["api-web"]["depends_on"]
    assert {name: need["condition"] for name, need in needs.items()} == {
        "banco-dados": "service_healthy",
        "cache-redis": "service_healthy",
    }


@pytest.mark.parametrize("bundle", ["", "/etc/ssl/cert's $.pem"])
def test_a_ca_bundle_is_a_build_secret_and_nothing_at_run_time(bundle: str, tmp_path: Path) -> None:
    understood = config(prepare(dev_values(build_ca_bundle=bundle), CHOICES).files, tmp_path)
    built = [service["build"] for service in understood["services"].values() if "build" in service]
    assert len(built) == 2
    for build in built:
        assert [secret["source"] for secret in build.get("secrets", [])] == (
            ["ca_bundle"] if bundle else []
        )
    assert understood.get("secrets", {}).get("ca_bundle", {}).get("file", "") == bundle
    assert not any(
        "ca_bundle" in json.dumps(service.get("secrets", []))
        for service in understood["services"].values()
    )
