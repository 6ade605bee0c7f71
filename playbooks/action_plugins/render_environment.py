"""Action plugin ``render_environment``: render all files of the host's environment as one transaction.

Settings are checked first; files are rendered in memory, checked as Compose files, then written to
``stack_output_dir`` all together or not at all. Files edited by hand since the last rendering are named and refused
unless ``render_overwrite_edits`` is true. Check mode and ``--diff`` are complete, with secrets masked.
Takes no arguments. Returns ``changed``, ``diff``, ``msg``, and ``plan``: runtime and base images with the reasons.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from stackwright.catalogue import start_order
from stackwright.compose_check import check_schema, check_with_compose
from stackwright.diffing import diff_of
from stackwright.engine import Engine, probe_engine
from stackwright.environment_action import EnvironmentAction
from stackwright.hardening import check_protections
from stackwright.prepare import make_choices, prepare
from stackwright.problems import Problem, RefusedError
from stackwright.rendering import compile_templates
from stackwright.transaction import NEXT_MANIFEST, Plan, digest, plan_tree, read_manifest
from stackwright.writing import apply_plan

# Ansible loads a plugin once, then forks a process per host.
compile_templates()


def _edited_problem(plan: Plan, environment: str) -> RefusedError:
    folder = plan.root
    return RefusedError(
        environment,
        [
            Problem(
                path,
                "was edited by hand since the last rendering, and rendering would lose that",
                "move the change into inventories/group_vars/, or add -e render_overwrite_edits=true to drop it",
                str(folder / path),
            )
            for path in plan.edited
        ],
    )


def _write_problem(error: OSError, root: Path, environment: str) -> RefusedError:
    """A file that cannot be read or written; a run that was cut while replacing is completed by the next one."""
    begun = (root / NEXT_MANIFEST).exists()
    state = (
        "some files were replaced, and the next run completes them"
        if begun
        else "nothing was replaced"
    )
    reason = f"{error.strerror or type(error).__name__}; {state}"
    fix = "free space or give this user the permission, then run it again; or set another stack_output_dir"
    return RefusedError(
        environment, [Problem("stack_output_dir", reason, fix, str(error.filename or root))]
    )


def _engine(values: Mapping[str, Any]) -> Engine:
    """The engine of this machine; not asked where the settings leave it nothing to decide."""
    if values["stack_runtime"] == "embedded" and values["base_images"] != "auto":
        return Engine(False, "no engine was asked")
    return probe_engine()


def _summary(plan: Plan) -> str:
    """What was done, or would be in check mode, in one line."""
    parts = [f"{len(plan.changed)} of {len(plan.files)} files written"] if plan.changed else []
    parts += [f"{len(plan.pruned)} removed"] if plan.pruned else []
    parts += [f"{len(plan.remode)} given another mode"] if plan.remode else []
    if not parts:
        parts = ["nothing to change" if plan.is_noop else "only the manifest changed"]
    return f"{', '.join(parts)} in {plan.root}"


def _left_out(values: Mapping[str, Any], services: list[str]) -> list[str]:
    """What the runtime cannot give, said at every rendering."""
    missing = [name for name in start_order(values["stack_services"]) if name not in services]
    lines = [f"the embedded runtime has no {', '.join(missing)}"] if missing else []
    if "edge" in missing:
        lines += [
            "without edge the API answers on 127.0.0.1 only: no TLS, one replica, no limit per client"
        ]
    return lines


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Validate, render, check, compare, write."""
        values = self.settings(variables)
        root = Path(values["stack_output_dir"])
        environment = values["stack_environment"]
        choices = make_choices(values, _engine(values))
        prepared = prepare(values, choices)
        files = prepared.files
        try:
            plan = plan_tree(root, files, prepared.record)
        except OSError as error:
            raise _write_problem(error, root, environment) from None
        hashes = {path: digest(file.content) for path, file in files.items()}
        if hashes != read_manifest(root).get("files"):
            document = check_schema(files["docker-compose.yml"].content)
            if values["secrets_strict"]:
                check_protections(document, closed=values["edge_enabled"])
            check_with_compose(files)
        if plan.edited and not values["render_overwrite_edits"]:
            raise _edited_problem(plan, environment)
        outcome: dict[str, Any] = {"changed": not plan.is_noop, "plan": choices}
        if self._task.diff:
            outcome["diff"] = diff_of(plan, self._hidden)
        if not self._task.check_mode and not plan.is_noop:
            try:
                apply_plan(plan)
            except OSError as error:
                raise _write_problem(error, root, environment) from None
        outcome["lines"] = [
            _summary(plan),
            f"runtime {choices['runtime']}: {choices['runtime_reason']}",
            *_left_out(values, prepared.record["services"]),
            f"base images {choices['base_images']}: {choices['base_images_reason']}",
        ]
        return outcome
