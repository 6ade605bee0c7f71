"""Action plugin ``compose_stack``: what Compose itself does not do for an environment, see runtimes.compose.project.

Arguments: ``stack``, the fact ``_stack``; ``adopt``, to take over containers of another checkout; ``state``: ``ready``
(default) checks owner and ports, and notes that containers are started; ``stopped`` removes containers and networks.
Returns ``foreign``, the containers that are taken over, or ``lines``, what was done. Check mode changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright.actions.environment_action import EnvironmentAction
from stackwright.settings.resolve import plain


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Do it on the host."""
        stack, state = plain(self._task.args["stack"]), str(self._task.args.get("state", "ready"))
        arguments = {name: stack[name] for name in ("environment", "project", "output_dir")}
        arguments |= {"adopt": self.flag("adopt"), "check": bool(self._task.check_mode)}
        if state == "ready":
            arguments["published"] = stack["access"]["published"]
        done = self.host.call(f"compose_{state}", **arguments)
        if done["problem"]:
            return {"failed": True, "explained": True, "msg": done["problem"]}
        if state == "ready":
            return {"foreign": done["found"]}
        return {
            "changed": bool(done["found"]),
            "lines": done["found"] or ["there was nothing to stop"],
        }
