"""Action plugin ``note_start``: note on the host that an environment is started in a runtime.

See stackwright.runtimes.running.

Arguments: ``output_dir`` and ``runtime``. Where the engine is silent later, it is known that there may be containers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright.environment_action import EnvironmentAction


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Note it, but in check mode."""
        if self._task.check_mode:
            return {}
        arguments = self._task.args
        said = self.host.call(
            "note_started",
            root=str(arguments["output_dir"]),
            runtime=str(arguments["runtime"]),
            started=True,
        )
        if said not in ("", "new"):
            return {"failed": True, "explained": True, "msg": f"the start cannot be noted: {said}"}
        return {}
