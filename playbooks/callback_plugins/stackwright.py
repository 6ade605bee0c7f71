"""Screen output: Ansible's own, with each failure said once, and a summary of the environment at the end.

A task is announced when it begins, as far as it takes a while, and the seconds that it takes are shown (see
``stackwright.progress``); Ansible itself waits for the first result where skipped tasks are not to be seen.
A task whose result has ``lines`` gets them printed below it. The summary shows what the result of
``verify_environment`` and the fact ``_stack`` say, and the seconds of each phase; without a verified environment there
is none, so it never claims more than was proven.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ansible import constants as C
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.plugins.loader import vars_loader

# Says where the package is. With an inventory that is no file (-i localhost,) it would be loaded only after this.
vars_loader.get("vault_password")

from stackwright.progress import Ticker  # noqa: E402

DOCUMENTATION = """
    name: stackwright
    type: stdout
    short_description: default output, failures said once, and a summary
    description:
        - Ansible's default output with the environment's summary at the end.
    extends_documentation_fragment:
      - default_callback
      - result_format_callback
"""
LABEL_WIDTH = 12


def proofs_line(proofs: Sequence[Mapping[str, Any]]) -> str:
    """How many promises held, and how many of them could be observed in part only."""
    partly = sum(bool(proof.get("unknown")) for proof in proofs)
    rest = f", {partly} of them seen in part only (see verify.json)" if partly else ""
    return f"{len(proofs)} of {len(proofs)} held{rest}"


def summary_lines(stack: Mapping[str, Any], proven: Mapping[str, Any], seconds: str) -> list[str]:
    """The summary of one environment: ``proven`` is the result of verify_environment."""
    access = stack["access"]
    authority = os.path.relpath(f"{stack['report_dir']}/edge-ca.crt")
    trust = f" --cacert {authority}" if access.get("private_ca") else ""
    here = stack["from_here"]
    settings = stack["settings"]
    own = settings["app_kind"] == "own"
    path = settings["app_health_path"] if own else "/tasks"
    bearer = "" if settings["api_public_reads"] else " -H 'Authorization: Bearer …'"
    services = [f"{name} {version}" for name, version in proven["services"].items()]
    which = "" if stack["environment"] == "dev" else f" ENV={stack['environment']}"
    rows = {
        **({"host": stack["address"]} if stack["address"] else {}),
        "url": here["url"] + (f" after {here['tunnel']}" if here["tunnel"] else ""),
        "runtime": stack["runtime"] + (f" ({stack['reason']})" if stack.get("reason") else ""),
        "services": ", ".join(services),
        **(
            {"application": settings["app_folder"]}
            if own
            else {"tasks": f"{proven['seeded_tasks']} seeded tasks found"}
        ),
        "proofs": proofs_line(proven["proofs"]),
        "seconds": seconds,
        "next": f"curl{trust}{here['options']}{bearer} {here['url']}{path}"
        + "".join(f"   make {target}{which}" for target in ("status", "logs", "down")),
    }
    head = f"Environment {stack['environment']} is up and verified"
    return [head, *(f"  {label:<{LABEL_WIDTH}}{text}" for label, text in rows.items())]


class CallbackModule(DefaultCallback):  # type: ignore[misc]
    """See the module's docstring."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "stackwright"

    def __init__(self) -> None:
        super().__init__()
        self._phases: list[tuple[str, float]] = []
        self._stacks: dict[str, dict[str, Any]] = {}
        self._proven: dict[str, Mapping[str, Any]] = {}
        self._ticker = Ticker()
        display = self._display.display
        self._display.display = lambda *arguments, **options: self._ticker.printing(
            partial(display, *arguments, **options)
        )

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Remember when each phase began."""
        self._ticker.begin(None)
        self._phases.append((play.get_name().strip().lower(), time.monotonic()))
        super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """No banner for an include: the tasks it brings have their own."""
        if self._display.verbosity or not isinstance(task, TaskInclude):
            super().v2_playbook_on_task_start(task, is_conditional)
        if not isinstance(task, TaskInclude) and task.action not in C._ACTION_DEBUG:
            self._ticker.begin(partial(self._print_task_banner, task))
        else:
            self._ticker.begin(None)

    def _print_task_banner(self, task: Any) -> None:
        """Once, whoever comes first: the result, or the time that the task takes."""
        with self._ticker.lock:
            if self._last_task_banner != task._uuid:
                super()._print_task_banner(task)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Which file was included interests only those who ask with -v."""
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Ansible's line, and below it what the task has to say."""
        host, values = result.host.get_name(), result.result
        self._stacks.setdefault(host, {}).update(values.get("ansible_facts", {}).get("_stack", {}))
        if "plan" in values:
            self._stacks[host]["reason"] = values["plan"]["runtime_reason"]
        if "seeded_tasks" in values:
            self._proven[host] = dict(values)
        lines = list(values.get("lines", []))
        if result.task.action in C._ACTION_DEBUG and not self._display.verbosity:
            self._say(values.get("msg", values))
            return
        if isinstance(result.task, TaskInclude) and not self._display.verbosity:
            return
        super().v2_runner_on_ok(result)
        if not self._run_is_verbose(result):
            self._say(lines)

    def _say(self, lines: Any) -> None:
        for line in [lines] if isinstance(lines, str) else lines:
            self._display.display(f"  {line}", color=C.COLOR_OK)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Failures are texts for people: print them once, as they are, without what programs write for programs."""
        values = result.result
        message = values.get("msg")
        if self._display.verbosity or "results" in values or not isinstance(message, str):
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._print_task_banner(result.task)
        self._handle_warnings(values)
        tail = values.get("stderr_lines") or []
        text = "\n".join(
            [
                message.strip(),
                *(
                    f"    {line}"
                    for line in tail
                    if line not in message and not line.startswith('{"')
                ),
            ]
        )
        self._display.display(f"failed: [{self.host_label(result)}]\n{text}", color=C.COLOR_ERROR)
        if ignore_errors:
            self._display.display("...ignoring", color=C.COLOR_SKIP)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Ansible's recap, then one summary per verified environment."""
        self._ticker.begin(None)
        ends = [begin for _, begin in self._phases[1:]] + [time.monotonic()]
        spans = [
            f"{name} {end - begin:.1f}"
            for (name, begin), end in zip(self._phases, ends, strict=True)
        ]
        total = ends[-1] - self._phases[0][1] if self._phases else 0.0
        super().v2_playbook_on_stats(stats)
        for host, proven in self._proven.items():
            if self._stacks.get(host):
                seconds = f"{total:.1f} = {', '.join(spans)}"
                self._display.display("\n".join(summary_lines(self._stacks[host], proven, seconds)))
