"""Long steps are announced when they begin, with their seconds; what is over at once is not."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from stackwright.images.references import build_steps

PROJECT = Path(__file__).parents[2]
PROGRESS = PROJECT / "playbooks/module_utils/stackwright/progress.py"
PLAYBOOK = """---
- name: Steps
  hosts: localhost
  gather_facts: false
  tasks:
    - {name: Left out, ansible.builtin.command: "false", when: false}
    - {name: Long one, ansible.builtin.command: "timeout 60 tail --follow --pid=PID /dev/null"}
"""


def read_terminal(descriptor: int) -> str:
    """All that is written to a terminal until its other side is closed."""
    found = b""
    try:
        while read := os.read(descriptor, 4096):
            found += read
    except OSError:  # how Linux says that it was closed
        pass
    return found.decode()


@pytest.mark.parametrize(("command", "code", "end"), [("true", 0, "done"), ("false", 1, "failed")])
def test_a_command_is_announced_and_summed_up(command: str, code: int, end: str) -> None:
    done = subprocess.run(
        [sys.executable, PROGRESS, "Making it", "sh", "-c", f"echo said; {command}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    first, said, last = done.stdout.splitlines()
    assert (done.returncode, first, said) == (code, "Making it …", "said")
    assert last.startswith(f"Making it: {end}")


def test_a_terminal_shows_the_seconds_on_one_line() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, PROGRESS, "Making it", "sh", "-c", "sleep 2.5; echo said"], stdout=theirs
    ) as process:
        os.close(theirs)
        text = read_terminal(ours)
    os.close(ours)
    assert process.returncode == 0
    assert "\r\x1b[K  … 2 s" in text
    assert text.count("\n") == 3
    assert "\r\x1b[Ksaid\r\n" in text


def test_a_task_is_announced_when_it_begins_and_a_skipped_one_never(tmp_path: Path) -> None:
    # The task lasts as long as this process does, which ends only when the banner was seen.
    waiting = subprocess.Popen(["sleep", "60"])
    playbook = tmp_path / "steps.yml"
    playbook.write_text(PLAYBOOK.replace("PID", str(waiting.pid)))
    command = [
        Path(sys.executable).with_name("ansible-playbook"),
        "-i",
        "localhost,",
        "-c",
        "local",
    ]
    with subprocess.Popen(
        [*command, "-e", f"ansible_python_interpreter={sys.executable}", playbook],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        seen = ""
        for line in process.stdout:
            seen += line
            if line.startswith("TASK [Long one]"):
                assert waiting.poll() is None
                waiting.kill()
                waiting.wait()
    waiting.kill()
    assert process.returncode == 0, seen
    assert seen.count("TASK [") == 1
    assert "changed: [localhost]" in seen


def test_what_is_built_is_told_in_the_order_in_which_it_is_needed() -> None:
    stand_ins = {kind: f"l/{kind}" for kind in ("debian", "python", "postgres", "redis")}
    images = {
        "web": {"reference": "web:1", "context": "app/api"},
        "db": {"reference": "db:1", "context": "app/database"},
        "cache": {"reference": "l/redis", "context": ""},
        "mail": {"reference": "mail:2", "context": ""},
    }
    lacking = {"l/debian", "l/python", "l/redis", "web:1", "mail:2"}
    assert list(build_steps(stand_ins, images, lacking)) == [
        ("building debian, stand-ins for base images", ["l/debian"]),
        ("building python and redis, stand-ins for base images", ["l/python", "l/redis"]),
        ("pulling mail:2", ["mail:2"]),
        ("building web", ["web:1"]),
    ]
