"""Action plugin ``rendered_environment``: tell a play what was rendered for the host, as the fact ``_stack``.

Arguments: ``current`` (default true) refuses an environment whose files are not what its settings render to now, so
that nothing runs that was not validated. With false only the manifest is read, so that a running environment can be
looked at and stopped whatever became of its settings. ``exclusive`` (default: as ``current``) waits for other runs.
See stackwright.actions.stack_facts for the fact; render_environment gives it, too, to later plays of the same run.
When current, fails where the environment is for an engine that does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright import layout
from stackwright.actions.environment_action import EnvironmentAction
from stackwright.actions.stack_facts import (
    caveats,
    current_facts,
    found_facts,
    secret_variables,
    unknown,
)
from stackwright.output.manifest import MANIFEST, RECORD_TYPES
from stackwright.rendering.prepare import Prepared, prepare
from stackwright.settings.resolve import environment_of


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Read the manifest, and with ``current`` compare it with the settings."""
        environment = self._environment = environment_of(variables)
        current = self.flag("current", default=True)
        if self.flag("exclusive", default=current):
            self.lock_environments()
        output = Path(str(self._templar.template(variables["stack_output_dir"])))
        host = self.host
        seen = host.rendered(output)
        there = f" on {host.name}" if host.remote else ""
        advice = f"Run: ansible-playbook -i {variables.get('inventory_file')} playbooks/render.yml"
        if not seen:
            msg = f"{environment}: nothing is rendered in {output}{there} yet. {advice}"
            return {"failed": True, "msg": msg}
        record = seen["record"]
        if RECORD_TYPES.keys() - record.keys():
            msg = f"{environment}: {output / MANIFEST}{there} is of another version. {advice}"
            return {"failed": True, "msg": msg}
        if seen["unknown"] and current and record["runtime"] == "compose":
            return {"failed": True, "msg": unknown(environment, seen)}
        place = layout.place_of(environment, output, host.remote)
        facts = found_facts(seen, place, self.address, secret_variables(self.schema, variables))
        if current:
            values = self.settings(variables)
            prepared = prepare(values, record, host.remote)
            if reason := self._stale(values, prepared):
                return {"failed": True, "msg": f"{environment}: {output} {reason}. {advice}"}
            facts = current_facts(facts, prepared.environment, values, self.schema)
        # Who asks for everything is told of a silent engine at the end, see ``unknown``.
        lines = caveats(environment, seen) if current or not facts["unknown"] else []
        return {"ansible_facts": {"_stack": facts}, "lines": lines}

    def _stale(self, values: dict[str, Any], prepared: Prepared) -> str:
        """Why the rendered files are not what the settings ask for, or nothing."""
        wanted, runtime = values["stack_runtime"], prepared.environment.runtime
        if wanted not in ("auto", runtime):
            return f"was rendered for the runtime {runtime}, not {wanted}"
        found = self.host.apply(prepared.root, prepared.files, prepared.record)
        if found.error:
            return f"cannot be read: {found.error_path}: {found.error}"
        if found.edited:
            return f"has files edited by hand since it was rendered: {', '.join(found.edited)}"
        return (
            ""
            if found.is_noop
            else "is out of date: settings, templates or sources changed since it was rendered"
        )
