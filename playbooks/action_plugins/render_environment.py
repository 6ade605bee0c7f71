"""Action plugin ``render_environment``: render all files of the host's environment as one transaction.

Settings are checked first; files are rendered in memory, checked as Compose files, then written to
``stack_output_dir`` all together or not at all. Files edited by hand since the last rendering are named and refused
unless ``render_overwrite_edits`` is true. Check mode and ``--diff`` are complete, with secrets masked.
Takes no arguments. Returns ``changed``, ``diff``, ``lines``, and ``plan``: runtime and base images with the reasons.
Gives the fact ``_stack`` (see stackwright.actions.stack_facts) where the files are there now, so that the plays after
it in the same run need not resolve, render and compare again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright import layout
from stackwright.actions.environment_action import EnvironmentAction
from stackwright.actions.stack_facts import caveats, current_facts, found_facts, secret_variables
from stackwright.output.apply import ApplyResult
from stackwright.output.hosts import Host
from stackwright.rendering.compose_file import check_protections, check_schema, check_with_compose
from stackwright.rendering.prepare import Prepared, make_choices, prepare
from stackwright.rendering.templates import compile_templates
from stackwright.runtimes.compose.engine import Engine
from stackwright.settings.catalogue import start_order
from stackwright.settings.problems import Problem, RefusedError

# Ansible loads a plugin once, then forks a process per host.
compile_templates()


def _edited_problem(edited: list[str], folder: Path, environment: str) -> RefusedError:
    return RefusedError(
        environment,
        [
            Problem(
                path,
                "was edited by hand since the last rendering, and rendering would lose that",
                "move the change into inventories/group_vars/, or add -e render_overwrite_edits=true to drop it",
                str(folder / path),
            )
            for path in edited
        ],
    )


def _write_problem(applied: ApplyResult, environment: str) -> RefusedError:
    """A file that cannot be read or written; a run that was cut while replacing is completed by the next one."""
    state = (
        "some files were replaced, and the next run completes them"
        if applied.partial
        else "nothing was replaced"
    )
    reason = f"{applied.error}; {state}"
    fix = applied.error_fix or (
        "free space or give this user the permission, then run it again; or set another stack_output_dir"
    )
    return RefusedError(environment, [Problem("stack_output_dir", reason, fix, applied.error_path)])


def _engine(values: Mapping[str, Any], host: Host) -> Engine:
    """The engine of the host; not asked where the settings leave it nothing to decide."""
    if values["stack_runtime"] == "embedded" and values["base_images"] != "auto":
        return Engine(False, "no engine was asked")
    return host.engine()


def _summary(applied: ApplyResult, prepared: Prepared, host: Host) -> str:
    """What was done, or would be in check mode, in one line."""
    changed, files = len(applied.changed), len(prepared.files)
    parts = [f"{changed} of {files} files written"] if changed else []
    parts += [f"{len(applied.pruned)} removed"] if applied.pruned else []
    parts += [f"{len(applied.mode_changes)} given another mode"] if applied.mode_changes else []
    if not parts:
        parts = ["nothing to change" if applied.is_noop else "only the manifest changed"]
    return f"{', '.join(parts)} in {prepared.root}{f' on {host.name}' if host.remote else ''}"


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
        self.lock_environments()
        environment, host = values["stack_environment"], self.host
        choices = make_choices(values, _engine(values, host), host)
        prepared = prepare(values, choices, host.remote)
        tree = (prepared.root, prepared.files, prepared.record)
        applied = host.apply(*tree, diff=bool(self._task.diff), hidden=self._hidden)
        if applied.error:
            raise _write_problem(applied, environment)
        if not applied.recorded:
            document = check_schema(prepared.files["docker-compose.yml"].content)
            if values["secrets_strict"]:
                check_protections(document, closed=values["edge_enabled"])
            check_with_compose(prepared.files)
        if applied.edited and not values["render_overwrite_edits"]:
            raise _edited_problem(applied.edited, prepared.root, environment)
        outcome: dict[str, Any] = {"plan": choices}
        if applied.diff is not None:
            outcome["diff"] = applied.diff
        if not self._task.check_mode and not applied.is_noop:
            overwrite = values["render_overwrite_edits"]
            applied = host.apply(*tree, write=True, overwrite=overwrite)
            if applied.error:
                raise _write_problem(applied, environment)
            if applied.edited and not overwrite:  # in the meantime
                raise _edited_problem(applied.edited, prepared.root, environment)
        outcome["changed"] = not applied.is_noop
        outcome["lines"] = [
            _summary(applied, prepared, host),
            f"runtime {choices['runtime']}: {choices['runtime_reason']}",
            *_left_out(values, prepared.record["services"]),
            f"base images {choices['base_images']}: {choices['base_images_reason']}",
        ]
        if applied.is_noop or not self._task.check_mode:
            self._tell(outcome, prepared, values, variables)
        return outcome

    def _tell(
        self,
        outcome: dict[str, Any],
        prepared: Prepared,
        values: dict[str, Any],
        variables: Mapping[str, Any],
    ) -> None:
        """Add what later plays need to know, unless only ``rendered_environment`` can say what is wrong."""
        host, environment = self.host, values["stack_environment"]
        place = layout.place_of(environment, values["stack_output_dir"], host.remote)
        seen = host.rendered(place.output)
        if not seen or (seen["unknown"] and seen["record"]["runtime"] == "compose"):
            return
        secrets = secret_variables(self.schema, variables)
        facts = found_facts(seen, place, self.address, secrets)
        current = current_facts(facts, prepared.environment, values, self.schema)
        outcome["ansible_facts"] = {"_stack": current}
        outcome["lines"] += caveats(environment, seen)
