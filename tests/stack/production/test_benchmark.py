"""The CIS Docker Benchmark 1.6.0, sections 4 and 5, on what the engine says of running containers and their images.

Numbers are those of the benchmark and of docker-bench-security, whose own verdicts are in docs/docker-bench.md with the
reasons for each exception. Items about the host or about people's habits (4.2, 4.4, 4.5, 5.23, 5.24, 5.28) are not here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stack.containers import docker
from tests.stack.production.conftest import Production
from tests.support.project import ROOT

pytestmark = pytest.mark.docker

SENSITIVE = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr")
Inspected = dict[str, Any]


def _mounted_from_host(found: Inspected) -> list[Inspected]:
    return [mount for mount in found["Mounts"] if mount["Type"] == "bind"]


def _published(found: Inspected) -> list[tuple[str, int]]:
    ports = found["NetworkSettings"]["Ports"] or {}
    return [
        (one["HostIp"], int(one["HostPort"])) for bound in ports.values() for one in bound or []
    ]


def _limits(found: Inspected) -> dict[str, int]:
    return {one["Name"]: one["Hard"] for one in found["HostConfig"]["Ulimits"] or []}


def _host(found: Inspected, key: str) -> Any:
    return found["HostConfig"][key]


CONTAINER_ITEMS: dict[str, Callable[[Inspected], bool]] = {
    "4.1 a user": lambda c: int(c["Config"]["User"].partition(":")[0]) > 0,
    "5.2 no other AppArmor profile than the engine's": lambda c: (
        c["AppArmorProfile"] in ("", "docker-default")
    ),
    "5.3 security options": lambda c: bool(_host(c, "SecurityOpt")),
    "5.4 no capabilities": lambda c: _host(c, "CapDrop") == ["ALL"] and not _host(c, "CapAdd"),
    "5.5 not privileged": lambda c: _host(c, "Privileged") is False,
    "5.6 no folders of the system": lambda c: (
        not any(mount["Source"] in SENSITIVE or mount["RW"] for mount in _mounted_from_host(c))
    ),
    "5.8 no privileged ports": lambda c: all(port > 1024 for _, port in _published(c)),
    "5.9 ports of the edge only": lambda c: (
        len(_published(c)) == (2 if c["Name"].endswith("-edge") else 0)
    ),
    "5.10 own network": lambda c: _host(c, "NetworkMode") not in ("host", "default", "bridge"),
    "5.11 memory": lambda c: _host(c, "Memory") > 0,
    "5.12 processors": lambda c: _host(c, "NanoCpus") > 0,
    "5.13 read-only root": lambda c: _host(c, "ReadonlyRootfs") is True,
    "5.14 ports on one address": lambda c: all(ip == "127.0.0.1" for ip, _ in _published(c)),
    "5.15 a restart policy": lambda c: _host(c, "RestartPolicy")["Name"] == "unless-stopped",
    "5.16 own processes": lambda c: _host(c, "PidMode") == "",
    "5.17 own IPC": lambda c: _host(c, "IpcMode") in ("private", ""),
    "5.18 no devices": lambda c: not _host(c, "Devices") and not _host(c, "DeviceRequests"),
    "5.19 limits of files and core dumps": lambda c: (
        _limits(c)["core"] == 0 and 0 < _limits(c)["nofile"] <= 16384
    ),
    "5.20 mounts are not shared": lambda c: (
        not any("shared" in mount["Propagation"] for mount in c["Mounts"])
    ),
    "5.21 own UTS": lambda c: _host(c, "UTSMode") == "",
    "5.22 the engine's seccomp profile": lambda c: (
        not any("seccomp" in option for option in _host(c, "SecurityOpt"))
    ),
    "5.25 the engine's cgroup": lambda c: _host(c, "CgroupParent") == "",
    "5.26 no new privileges": lambda c: "no-new-privileges:true" in _host(c, "SecurityOpt"),
    "5.27 health is checked": lambda c: c["State"]["Health"]["Status"] == "healthy",
    "5.29 processes": lambda c: 0 < _host(c, "PidsLimit") <= 256,
    "5.30 not on docker0": lambda c: "bridge" not in c["NetworkSettings"]["Networks"],
    "5.31 not the host's users": lambda c: _host(c, "UsernsMode") != "host",
    "5.32 no engine's socket": lambda c: (
        not any("docker.sock" in mount["Source"] for mount in c["Mounts"])
    ),
}


@pytest.fixture(scope="module")
def containers(production: Production) -> dict[str, Inspected]:
    """What the engine says of each container."""
    production.wait_until_whole()
    found = {name: production.inspect(name) for name in production.names()}
    assert len(found) == 5
    return found


@pytest.fixture(scope="module")
def images(containers: dict[str, Inspected]) -> dict[str, str]:
    """Image by service."""
    label = "com.docker.compose.service"
    return {one["Config"]["Labels"][label]: one["Image"] for one in containers.values()}


@pytest.mark.parametrize("item", CONTAINER_ITEMS)
def test_containers_keep_section_5(item: str, containers: dict[str, Inspected]) -> None:
    holds = CONTAINER_ITEMS[item]
    assert [name for name, found in containers.items() if not holds(found)] == []


def test_5_4_the_kernel_agrees(containers: dict[str, Inspected]) -> None:
    """No capability in any set, no way to get one, the seccomp filter on, and not root: of the service's own process."""
    wanted = {"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
              "CapInh:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"}  # fmt: skip
    for name, found in containers.items():
        lines = docker("exec", name, "cat", "/proc/1/status").stdout.splitlines()
        assert wanted <= set(lines), name
        user = found["Config"]["User"].partition(":")[0]
        assert f"Uid:\t{user}\t{user}\t{user}\t{user}" in lines


def test_5_7_nothing_but_the_service_runs(containers: dict[str, Inspected]) -> None:
    wanted = {"docker-init", "python", "postgres", "redis-server", "caddy"}
    for name in containers:
        lines = docker("top", name, "-eo", "pid,args").stdout.splitlines()[1:]
        programs = {Path(line.split()[1].rstrip(":")).name for line in lines}
        # A health check may be under way.
        assert programs - {"sh", "healthcheck", "psql", "redis-cli", "grep", "wget"} <= wanted, name


def test_5_13_what_can_be_written_is_bounded(containers: dict[str, Inspected]) -> None:
    """What is in memory has a size and runs no program; everything else but volumes is read-only."""
    for name in containers:
        mounts = [
            line.split() for line in docker("exec", name, "cat", "/proc/mounts").stdout.splitlines()
        ]
        folders = {one[1]: set(one[3].split(",")) for one in mounts}
        assert "ro" in folders["/"], name
        given = {
            one["Target"]
            for one in containers[name]["HostConfig"]["Mounts"]
            if one["Type"] == "tmpfs"
        }
        assert given
        for folder in (one.replace("/var/run", "/run") for one in given):  # a link, in the image
            assert {"rw", "nosuid", "nodev", "noexec"} <= folders[folder], (name, folder)
            assert any(option.startswith("size=") for option in folders[folder]), (name, folder)


def test_4_6_images_of_our_own_check_their_health(images: dict[str, str]) -> None:
    for service, image in images.items():
        check = docker("inspect", "--format", "{{json .Config.Healthcheck}}", image).stdout.strip()
        assert (check == "null") == (service == "cache-redis"), service  # run as it is published


def test_4_1_images_of_our_own_name_a_user(images: dict[str, str]) -> None:
    for service, image in images.items():
        user = docker("inspect", "--format", "{{.Config.User}}", image).stdout.strip()
        assert (user == "") == (service == "cache-redis"), service


def test_4_8_no_program_of_the_api_changes_its_user(images: dict[str, str]) -> None:
    """Other images have Debian's own; no_new_privileges and nosuid make all of them harmless."""
    command = ("find", "/opt", "/usr/local", "-xdev", "-perm", "/6000", "-type", "f")
    found = docker(
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        command[0],
        images["api-web"],
        *command[1:],
    )
    assert found.stdout == ""


def test_4_3_the_api_has_no_compiler_and_its_environment_no_pip(images: dict[str, str]) -> None:
    script = "ls /opt/venv/bin; command -v gcc cc make curl ssh sshd git || true"
    found = docker(
        "run", "--rm", "--network", "none", images["api-web"], "sh", "-c", script
    ).stdout.split()
    assert "granian" in found
    assert not [name for name in found if name.startswith("pip") or "/" in name]


@pytest.mark.parametrize("folder", ["api", "database", "edge"])
def test_4_7_and_4_9_dockerfiles_copy_and_update_nothing_alone(folder: str) -> None:
    lines = (ROOT / "app" / folder / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("ADD ")] == []
    assert [line for line in lines if "apt-get" in line or "apk " in line] == []
