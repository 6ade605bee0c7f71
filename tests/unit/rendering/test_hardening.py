"""prod with each of its protections removed: compose-lint complains, or our own check where it has no rule, or both."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from compose_lint.cli import main as compose_lint
from stackwright.images.references import service_images
from stackwright.rendering.compose_file import (
    PROTECTIONS,
    ComposeFileError,
    check_protections,
    check_schema,
    unprotected,
)
from stackwright.rendering.files import RenderedFile
from stackwright.rendering.prepare import template_context
from stackwright.rendering.templates import render_tree

from tests.support.composing import rendered
from tests.support.production import prod_values
from tests.support.project import ROOT
from tests.support.resolving import dev_values

DIGEST = f"sha256:{'5a' * 32}"
SERVICES = {"banco-dados", "cache-redis", "api-web", "edge"}
EVERY = "service.yml.j2"


@dataclass(frozen=True)
class Removal:
    """A protection in a template, what to put in its place, compose-lint's rule about it, and our own words."""

    text: str
    ours: str
    rule: str = ""
    instead: str = ""
    template: str = EVERY
    services: frozenset[str] = frozenset(SERVICES)


LOG_OPTIONS = """      options:
        max-size: {{ stack_log_max_size | compose }}
        max-file: {{ (stack_log_max_files | string) | compose }}
"""
EDGE = frozenset({"edge"})
DATA = frozenset({"banco-dados", "cache-redis", "api-web"})
REMOVALS = {
    "user": Removal("    user: {{ service.user | compose }}\n", "user"),
    "user not root": Removal("user: {{ service.user | compose }}", "user", "CL-0018", "user: '0:0'"),
    "read-only root": Removal("    read_only: true\n", "read_only", "CL-0007"),
    "no capabilities": Removal("    cap_drop: [ALL]\n", "cap_drop", "CL-0006"),
    "no capability back": Removal(
        "    cap_drop: [ALL]\n", "nothing of the host's", "CL-0024", "    cap_drop: [ALL]\n    cap_add: [SYS_ADMIN]\n"
    ),
    "no new privileges": Removal(
        '    security_opt: ["no-new-privileges:true"]\n', "security_opt", "CL-0003"
    ),
    "seccomp": Removal(
        '["no-new-privileges:true"]', "security_opt", "CL-0009", '["no-new-privileges:true", "seccomp:unconfined"]'
    ),
    "not privileged": Removal("    init: true\n", "no privileged", "CL-0002", "    privileged: true\n"),
    "own process namespace": Removal(
        "    init: true\n", "nothing of the host's", "CL-0010", "    pid: host\n"
    ),
    "memory limit": Removal("          memory: {{ service.limits.memory | compose }}\n", "limits.memory", "CL-0026"),
    "cpu limit": Removal("          cpus: {{ service.limits.cpus | string | compose }}\n", "limits.cpus", "CL-0026"),
    "pids limit": Removal("          pids: {{ service.limits.pids }}\n", "limits.pids"),
    "open files": Removal("      nofile: {{ service.limits.open_files }}\n", "ulimits.nofile"),
    "core dumps": Removal("      core: 0\n", "ulimits.core"),
    "log rotation": Removal(LOG_OPTIONS, "logging"),
    "log": Removal("driver: json-file\n" + LOG_OPTIONS, "logging", "CL-0014", "driver: none\n"),
    "stop grace": Removal("    stop_grace_period: {{ service.grace_seconds }}s\n", "stop_grace_period"),
    "restart policy": Removal("    restart: unless-stopped\n", "restart"),
    "health check": Removal("      test: {{ service.health_test | compose }}\n", "healthcheck"),
    "tmpfs size": Removal(
        "        tmpfs:\n          size: {{ mebibytes * 1048576 }}\n", "tmpfs with a size"
    ),
    "named networks": Removal(
        '    networks: {{ service.networks | compose }}\n', "networks by name"
    ),
    "own network": Removal(
        'networks: {{ service.networks | compose }}', "nothing of the host's", "CL-0008",
        "network_mode: host",
    ),
    "internal networks": Removal(
        "    internal: true\n", "internal: true", template="docker-compose.yml.j2", services=DATA
    ),
    "ports of one address": Removal(
        "{{ published | string | compose }}", "ports with a host address", "CL-0005",
        '"{{ published.first }}:{{ published.container_port }}"', services=EDGE,
    ),
    "engine's socket": Removal(
        "    volumes:\n", "no docker.sock", "CL-0001",
        "    volumes:\n      - {type: bind, source: /var/run/docker.sock, target: /s}\n",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Prod's settings, on images that were pinned."""
    values = prod_values(tmp_path_factory.mktemp("prod") / "inventories")
    images = ("python", "postgres", "redis", "caddy")
    return values | {"image_digests": {values[f"{kind}_base_image"]: DIGEST for kind in images}}


def render(
    values: dict[str, Any], templates: Path = ROOT / "templates", base_images: str = "registry"
) -> dict[str, RenderedFile]:
    return render_tree(template_context(values, service_images(values, base_images)), templates)


def findings(
    files: dict[str, RenderedFile], folder: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, set[tuple[str, str]]]:
    """compose-lint's exit code with --fail-on low, and rule and service of what it does not let pass."""
    for path, file in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
    words = ["check", "--fail-on", "low", "--format", "json", *options]
    words += ["--config", str(ROOT / ".compose-lint.yml"), str(folder / "docker-compose.yml")]
    with pytest.raises(SystemExit) as ended:
        compose_lint(words)
    found = json.loads(capsys.readouterr().out)["findings"]
    return int(str(ended.value.code or 0)), {
        (one["rule_id"], one["service"]) for one in found if not one["suppressed"]
    }


def test_prod_is_clean(
    values: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = render(values)
    assert findings(files, tmp_path, capsys, "--strict-config") == (0, set())
    check_protections(check_schema(files["docker-compose.yml"].content), closed=True)


def test_with_stand_ins_the_cache_alone_lacks_a_digest(
    values: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = render(values, base_images="distro")
    assert findings(files, tmp_path, capsys) == (1, {("CL-0019", "cache-redis")})


def test_an_image_that_is_pulled_without_a_digest_is_complained_of(
    values: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = render(values | {"image_digests": {}})
    assert findings(files, tmp_path, capsys) == (1, {("CL-0019", "cache-redis")})


def test_dev_differs_in_what_the_seed_asks_for_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = dev_values()
    files = rendered(values | {"image_digests": {values["redis_base_image"]: DIGEST}})
    # The API's port on every interface, and passwords in environment variables.
    seeds = {("CL-0005", "api-web"), ("CL-0020", "api-web"), ("CL-0020", "banco-dados")}
    assert findings(files, tmp_path, capsys) == (1, seeds)
    assert unprotected(check_schema(files["docker-compose.yml"].content), closed=False) == {}


@pytest.mark.parametrize("name", REMOVALS)
def test_a_missing_protection_is_complained_of(
    name: str, values: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    removal = REMOVALS[name]
    templates = tmp_path / "templates"
    shutil.copytree(ROOT / "templates", templates)
    template = templates / removal.template
    text = template.read_text(encoding="utf-8")
    assert removal.text in text
    template.write_text(text.replace(removal.text, removal.instead), encoding="utf-8")
    files = render(values, templates)

    lacking = unprotected(check_schema(files["docker-compose.yml"].content), closed=True)
    assert set(lacking) == removal.services
    assert all(any(removal.ours in words for words in found) for found in lacking.values())
    code, found = findings(files, tmp_path / "out", capsys)
    if removal.rule:
        assert code == 1
        assert {service for rule, service in found if rule == removal.rule} == removal.services
    else:
        assert (code, found) == (0, set()), "compose-lint has a rule by now: name it"


def test_every_protection_of_ours_is_removed_once() -> None:
    tried = {
        words for removal in REMOVALS.values() for words in PROTECTIONS if removal.ours in words
    }
    assert tried == set(PROTECTIONS)


def test_the_error_names_service_protection_and_partial(values: dict[str, Any]) -> None:
    document = check_schema(render(values)["docker-compose.yml"].content)
    del document["services"]["cache-redis"]["read_only"]
    with pytest.raises(ComposeFileError) as refused:
        check_protections(document, closed=True)
    assert "services.cache-redis lacks read_only: true. " in str(refused.value)
    assert "templates/services/cache-redis.yml.j2" in str(refused.value)
