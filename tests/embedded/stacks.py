"""A real environment in the embedded runtime: rendered by ansible-playbook, run and asked like a user's."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from stackwright import layout
from stackwright.runtimes.embedded import commands
from stackwright.runtimes.embedded.folder import Folder
from stackwright.runtimes.embedded.health import Row, status
from stackwright.runtimes.embedded.lifecycle import Outcome, start, stop

SECONDS = 60.0
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
CALL_MODULE = """---
- hosts: all
  gather_facts: false
  tasks:
    - embedded_stack: {output_dir: "{{ stack_output_dir }}", state: "{{ _state }}"}
      register: _result
    - ansible.builtin.copy: {content: "{{ _result | to_json }}", dest: "{{ _copy }}", mode: "0600"}
      check_mode: false
"""


class Stack:
    """One environment in ``output``; ``settings`` differ from dev's."""

    def __init__(self, output: Path, **settings: Any) -> None:
        self.output = output
        self.first_log = ""  # what the database printed at its first start
        self.folder = Folder(output / "embedded")
        self.settings: dict[str, Any] = {
            "stack_output_dir": str(output),
            "stack_runtime": "embedded",
            **settings,
        }

    @property
    def port(self) -> int:
        return int(self.settings["api_port"])

    def play(self, playbook: Path, *options: str, **variables: Any) -> str:
        """Run a playbook from the project's folder; returns its output."""
        done = subprocess.run(
            [
                PLAYBOOK,
                "-i",
                "inventories/dev.yml",
                playbook,
                *options,
                "-e",
                json.dumps({**self.settings, **variables}),
            ],
            cwd=layout.PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def render(self, **settings: Any) -> None:
        self.settings |= settings
        self.play(layout.PROJECT / "playbooks/render.yml")

    def module(self, state: str, scratch: Path, *options: str) -> dict[str, Any]:
        """The result of the Ansible module embedded_stack."""
        playbook, copy = scratch / "call.yml", scratch / "result.json"
        playbook.write_text(CALL_MODULE)
        self.play(playbook, *options, _state=state, _copy=str(copy))
        result: dict[str, Any] = json.loads(copy.read_text())
        return result

    def start(self) -> Outcome:
        return start(self.folder, SECONDS)

    def stop(self) -> list[str]:
        return stop(self.folder, SECONDS)

    def rows(self) -> dict[str, Row]:
        return {row.service: row for row in status(self.folder)}

    def pids(self) -> dict[str, int | None]:
        return {name: row.pid for name, row in self.rows().items()}

    def all_pids(self) -> list[int]:
        """supervisord and everything below it."""
        own = int((self.folder.run / "supervisord.pid").read_text())
        return [own, *(child.pid for child in psutil.Process(own).children(recursive=True))]

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(
                method, path, json.dumps(body) if body is not None else None, headers
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def sql(self, statement: str) -> str:
        command, environment = commands.sql(str(self.output))
        return _output([*command, statement], environment)

    def redis(self, *words: str) -> str:
        return _output([*commands.redis(str(self.output)), *words], {})

    def wait_healthy(self, but_not: dict[str, int | None]) -> dict[str, Row]:
        """Wait until all are healthy and those named in ``but_not`` have another pid."""
        end = time.monotonic() + SECONDS
        while True:
            rows = self.rows()
            renewed = all(rows[name].pid != pid for name, pid in but_not.items())
            if renewed and all(
                row.health == "healthy" and row.state == "RUNNING" for row in rows.values()
            ):
                return rows
            assert time.monotonic() < end, rows
            time.sleep(0.1)


def _output(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def lives(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    return False


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def listeners(ports: set[int]) -> dict[int, set[str]]:
    """Addresses on which each port is listened to."""
    found: dict[int, set[str]] = {port: set() for port in ports}
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr.port in ports:
            found[one.laddr.port].add(one.laddr.ip)
    return found
