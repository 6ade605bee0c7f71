"""Action plugin ``rendered_environment``: tell a play what was rendered for the host, as the fact ``_stack``.

Arguments: ``current`` (default true) refuses an environment whose files are not what its settings render to now, so
that nothing runs that was not validated. With false only the manifest is read, so that a running environment can be
looked at and stopped whatever became of its settings. ``exclusive`` (default: as ``current``) waits for other runs.
The fact has ``environment``, ``project``, ``runtime``, ``base_images`` (registry or distro), ``images`` and
``stand_ins`` (references by service and by kind), ``services`` in start order, ``output_dir``, ``project_dir`` (the
folder with ``app/``), both on the host; ``report_dir`` on this machine; ``address`` of the host, empty for this
machine; ``secret_settings`` (variables), ``running``, ``present`` and ``logged`` (runtimes, see runtimes.running),
``unknown`` (empty, or why it cannot be told whether its containers run), ``evidence`` and ``logs`` (commands that tell
what happens from now on, and what happened), and when current ``settings`` (all that may be shown), ``ca_bundle`` (its
path on the host), ``access`` and ``from_here`` (see stackwright.runtimes.access).
When current, fails where the environment is for an engine that does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright import layout
from stackwright.environment_action import EnvironmentAction
from stackwright.output.manifest import MANIFEST, RECORD_TYPES
from stackwright.rendering.prepare import prepare
from stackwright.rendering.tree import CA_BUNDLE
from stackwright.runtimes.access import access, evidence_commands, from_here
from stackwright.settings.patterns import with_members
from stackwright.settings.resolve import environment_of
from stackwright.settings.templating import plain


def _may_hold(seen: Mapping[str, Any]) -> bool:
    """Whether a silent engine may hold containers that were started."""
    return bool(seen["unknown"]) and "compose" in seen["started"]


def _unknown(environment: str, seen: Mapping[str, Any]) -> str:
    """Why nothing can be said of an environment whose engine is silent."""
    return (
        f"{environment}: {seen['silence']}. {environment} belongs to Docker since its last start or rendering, so its "
        f"containers may run; nothing was done to them.\n  fix  {seen['advice']}"
    )


def _caveats(environment: str, seen: Mapping[str, Any]) -> list[str]:
    """What the silence of the engine leaves open."""
    if seen["unknown"]:
        return [f"{seen['silence']}: whether containers of {environment} run, too, is unknown"]
    if seen["silence"] and "compose" in seen["started"]:
        return [
            f"{seen['silence']}: no container of {environment} runs now; those that exist start again with the engine"
        ]
    return []


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Read the manifest, and with ``current`` compare it with the settings."""
        environment = self._environment = environment_of(variables)
        current = self._option("current", True)
        if self._option("exclusive", current):
            self.take_turn()
        output = Path(str(self._templar.template(variables["stack_output_dir"])))
        host = self.host
        place = layout.place_of(environment, output, host.remote)
        seen = host.rendered(output)
        there = f" on {host.name}" if host.remote else ""
        advice = f"ansible-playbook -i {variables.get('inventory_file')} playbooks/render.yml"
        if not seen:
            return {
                "failed": True,
                "msg": f"{environment}: nothing is rendered in {output}{there} yet. Run: {advice}",
            }
        manifest = seen["record"]
        if RECORD_TYPES.keys() - manifest.keys():
            return {
                "failed": True,
                "msg": f"{environment}: {output / MANIFEST}{there} is of another version. Run: {advice}",
            }
        if seen["unknown"] and current and manifest["runtime"] == "compose":
            return {"failed": True, "msg": _unknown(environment, seen)}
        facts = manifest | {
            "output_dir": str(output),
            "project_dir": str(place.sources),
            "report_dir": str(place.reports),
            "address": self.address if host.remote else "",
            "settings": {},
            "secret_settings": self._secret_variables(variables),
            **{name: seen[name] for name in ("running", "present", "logged")},
            "unknown": _unknown(environment, seen) if _may_hold(seen) else "",
        }
        where = (manifest["runtime"], str(output), manifest["services"])
        facts["evidence"] = evidence_commands(*where, since=seen["now"])
        told = evidence_commands(*where)
        facts["logs"] = {name: told[f"log of {name}"] for name in manifest["services"]}
        # Who asks for everything is told of a silent engine at the end, see ``unknown``.
        lines = _caveats(environment, seen) if current or not facts["unknown"] else []
        if current:
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
            bundle = values["build_ca_bundle"]
            facts["ca_bundle"] = str(output / CA_BUNDLE) if bundle and host.remote else bundle
            facts["access"] = access(*where, values)
            facts["from_here"] = from_here(facts["address"], facts["access"])
        return {"ansible_facts": {"_stack": facts}, "lines": lines}

    def _option(self, name: str, default: bool) -> bool:
        return bool(plain(self._templar.template(self._task.args.get(name, default))))

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
        host = self.host
        prepared = prepare(values, manifest, host.remote)
        found = host.settle(prepared.root, prepared.files, prepared.record)
        if found.trouble:
            return f"cannot be read: {found.trouble_path}: {found.trouble}"
        if found.edited:
            return f"has files edited by hand since it was rendered: {', '.join(found.edited)}"
        return (
            ""
            if found.is_noop
            else "is out of date: settings, templates or sources changed since it was rendered"
        )
