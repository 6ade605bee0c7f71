"""Action plugin ``build_images``: the module of that name on the host, and a bill of materials of each image here.

The module is asked what is missing, then for one step after the other, each of which is announced: they take long.
Arguments are the module's and ``report_dir``: below it, sbom/ gets a bill (CycloneDX) of every service's image that has
none there. Without it, as in check mode, none is written.
Returns what the module does and ``sboms``, the names of the files written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.utils.display import Display
from stackwright.environment_action import EnvironmentAction
from stackwright.images.base_images import build_steps
from stackwright.images.sbom.packages import SbomError
from stackwright.images.sbom.write import write_missing_sboms


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Build there, write here."""
        arguments = dict(self._task.args)
        report_dir = str(arguments.pop("report_dir", ""))
        if not arguments.get("images"):
            self.refuse_remote(
                "base_images",
                "building stand-ins beforehand",
                "leave it out: `make build` builds those that an environment needs on its host",
            )
        done = self._build(arguments)
        if done.get("failed") or not report_dir or self._task.check_mode:
            return done
        images = {name: tuple(facts) for name, facts in done["images"].items()}
        try:
            sboms = write_missing_sboms(Path(report_dir) / "sbom", images, self.host.packages_of)
        except SbomError as failed:
            lines = failed.output.splitlines()[-40:]
            return {
                "failed": True,
                "msg": str(failed),
                "stderr": failed.output,
                "stderr_lines": lines,
            }
        except OSError as failed:
            return {"failed": True, "msg": f"writing the bills of materials failed: {failed}"}
        return done | {"sboms": sboms, "changed": bool(done["changed"] or sboms)}

    def _build(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the module returns for all that is missing."""
        if self._task.check_mode:
            return self.module("build_images", arguments)
        first = done = self.module("build_images", arguments | {"only": []})
        if done.get("failed"):
            return done
        for what, references in build_steps(
            arguments["stand_ins"], arguments.get("images", {}), set(first["missing"])
        ):
            Display().display(f"  {what}")
            done = self.module("build_images", arguments | {"only": references})
            if done.get("failed"):
                return done
        missing = first["missing"]
        return done | {
            "changed": bool(missing),
            "present": first["present"],
            "built": missing,
        }
