"""Action plugin ``validate_environment``: check every setting of the host's environment against the schema.

Takes no arguments and changes nothing. Fails with all problems at once, each naming setting, reason, file and fix.
Returns ``msg``, one line that says what was checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright.actions.environment_action import EnvironmentAction


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Resolve and check the settings; nothing else."""
        values = self.settings(variables)
        return {"msg": f"{values['stack_environment']}: {len(values)} settings are valid"}
