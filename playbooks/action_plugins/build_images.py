"""Action plugin ``build_images``: build or pull the images that are missing, and write a bill of materials of each.

An image is named by the hash of what goes into it, so one that exists is up to date: an unchanged tree costs one
question to the engine and asks no builder. What is missing the module of the same name gets in steps, each of which is
announced: they take long.
Arguments are the module's without ``only`` and ``later``, and ``report_dir``: below it, sbom/ gets a bill (CycloneDX)
of every service's image that has none there. Without it, as in check mode, none is written. Without any arguments all
stand-in base images are built, on this machine.
Returns ``changed``, ``present`` and ``built`` (or pulled; references), and ``sboms``, the names of the files written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.utils.display import Display
from stackwright import layout
from stackwright.actions.environment_action import EnvironmentAction
from stackwright.images.references import build_steps, stand_ins
from stackwright.images.sbom.packages import SbomError
from stackwright.images.sbom.write import write_missing_sboms
from stackwright.runtimes.compose.engine import SilentEngineError

ERROR_LINES = 40


def _failed(message: str, said: str) -> dict[str, Any]:
    lines = said.splitlines()[-ERROR_LINES:]
    return {"failed": True, "msg": message, "stderr": said, "stderr_lines": lines}


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Build there, write here."""
        arguments = dict(self._task.args) or self._all_stand_ins(variables)
        report_dir = str(arguments.pop("report_dir", ""))
        references = {
            name: image["reference"] for name, image in arguments.get("images", {}).items()
        }
        try:
            done = self._build(arguments, list(dict.fromkeys(references.values())))
        except SilentEngineError as silent:
            return _failed("asking the engine for its images failed", silent.said)
        there = done.pop("there")
        if done.get("failed") or not report_dir or self._task.check_mode:
            return done
        images = {name: (ref, *there[ref]) for name, ref in references.items() if ref in there}
        try:
            sboms = write_missing_sboms(Path(report_dir) / "sbom", images, self.host.packages_of)
        except SbomError as failed:
            return _failed(str(failed), failed.output)
        except OSError as failed:
            return {"failed": True, "msg": f"writing the bills of materials failed: {failed}"}
        return done | {"sboms": sboms, "changed": bool(done["changed"] or sboms)}

    def _all_stand_ins(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments for all of them, as the settings ask for."""
        values = self.settings(variables)
        self.refuse_remote(
            "base_images",
            "building stand-ins beforehand",
            "leave it out: `make build` builds those that an environment needs on its host",
        )
        return {
            "project_dir": str(layout.PROJECT),
            "stand_ins": stand_ins(values["debian_mirror"]),
            "ca_bundle": values["build_ca_bundle"],
            "pip_index_url": values["build_pip_index_url"],
            "debian_mirror": values["debian_mirror"],
        }

    def _build(self, arguments: dict[str, Any], services: list[str]) -> dict[str, Any]:
        """Build and pull what is missing of ``services``. Also returns ``there``, what is known of those that exist.

        Raises SilentEngineError.
        """
        bases = [ref for ref in arguments["stand_ins"].values() if ref not in services]
        there = self._there(services)
        missing = [ref for ref in services if ref not in there]
        # Stand-ins only carry builds: with every service image there, nobody needs them.
        if missing or not services:
            bases_there = self._there(bases)
            missing += [ref for ref in bases if ref not in bases_there]
        present = [ref for ref in services if ref not in missing]
        outcome = {"changed": bool(missing), "present": present, "built": missing}
        if not missing or self._task.check_mode:
            return outcome | {"there": there}
        later = set(missing)
        for what, references in build_steps(
            arguments["stand_ins"], arguments.get("images", {}), later.copy()
        ):
            Display().display(f"  {what}")
            later -= set(references)
            step = {"only": references, "later": sorted(later)}
            done = self.module("build_images", arguments | step)
            if done.get("failed"):
                return done | {"there": there}
        return outcome | {"there": self._there(services)}

    def _there(self, references: list[str]) -> dict[str, list[str]]:
        """Identity and time of creation of those that the engine has. Raises SilentEngineError."""
        return dict(self.host.call("engine_images", references=references))
