"""Action plugin ``rendered_environment``: tell a play what was rendered for the host, as the fact ``_stack``.

Arguments: ``current`` (default true) refuses an environment whose files are not what its settings render to now, so
that nothing runs that was not validated. With false only the manifest is read, so that a running environment can be
looked at and stopped whatever became of its settings.
The fact has ``environment``, ``project``, ``runtime``, ``base_images`` (registry or distro),
``images`` and ``stand_ins`` (references by service and by kind), ``services`` in start order, ``output_dir``,
``project_dir``, ``secret_settings`` (variables), ``running`` (the runtimes it runs in now), ``evidence`` and ``logs``
(commands that tell what happened), and when current ``settings`` (all that may be shown) and ``access`` (see
stackwright.access).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from stackwright import layout
from stackwright.access import access, evidence_commands
from stackwright.environment_action import EnvironmentAction
from stackwright.families import with_members
from stackwright.prepare import prepare
from stackwright.resolve import environment_of
from stackwright.running import running_runtimes
from stackwright.templating import plain
from stackwright.transaction import plan_tree, read_manifest


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Read the manifest, and with ``current`` compare it with the settings."""
        environment = self._environment = environment_of(variables)
        output = Path(str(self._templar.template(variables["stack_output_dir"])))
        manifest = read_manifest(output)
        advice = f"ansible-playbook -i {variables.get('inventory_file')} playbooks/render.yml"
        if not manifest:
            return {
                "failed": True,
                "msg": f"{environment}: nothing is rendered in {output} yet. Run: {advice}",
            }
        facts = {name: value for name, value in manifest.items() if name != "files"}
        facts |= {"output_dir": str(output), "project_dir": str(layout.PROJECT), "settings": {}}
        facts["secret_settings"] = self._secret_variables(variables)
        facts["running"] = running_runtimes(output, manifest["project"])
        where = (manifest["runtime"], str(output), manifest["services"])
        facts["evidence"] = evidence_commands(*where)
        facts["logs"] = {name: facts["evidence"][f"log of {name}"] for name in manifest["services"]}
        if plain(self._templar.template(self._task.args.get("current", True))):
            values = self.settings(variables)
            reason = self._stale(values, manifest)
            if reason:
                return {
                    "failed": True,
                    "msg": f"{environment}: {output} {reason}. Run: {advice}",
                }
            facts["settings"] = {
                name: value for name, value in values.items() if self.schema[name].printable
            }
            facts["access"] = access(*where, values)
        return {"ansible_facts": {"_stack": facts}}

    def _secret_variables(self, variables: Mapping[str, Any]) -> list[str]:
        """The variables with the secrets: the settings, or for members of families that are not set the vault's."""
        schema, _ = with_members(self.schema, variables, self._templar)
        names = [
            setting.name if setting.name in variables else setting.vault_variable
            for setting in schema.values()
            if setting.secret
        ]
        return [name for name in names if name in variables]

    def _stale(self, values: dict[str, Any], manifest: dict[str, Any]) -> str:
        """Why the rendered files are not what the settings ask for, or nothing."""
        wanted = values["stack_runtime"]
        if wanted not in ("auto", manifest["runtime"]):
            return f"was rendered for the runtime {manifest['runtime']}, not {wanted}"
        prepared = prepare(values, manifest)
        plan = plan_tree(prepared.root, prepared.files, prepared.record)
        if plan.edited:
            return f"has files edited by hand since it was rendered: {', '.join(plan.edited)}"
        return (
            ""
            if plan.is_noop
            else "is out of date: settings, templates or sources changed since it was rendered"
        )
