"""Action plugin ``validate_environment``: check every setting of the host's environment against the schema.

Takes no arguments and changes nothing. Fails with all problems at once, each naming setting, reason, file and fix.
Returns ``msg``, one line that says what was checked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from stackwright.problems import RefusedError
from stackwright.resolve import resolve_environment


class ActionModule(ActionBase):  # type: ignore[misc]
    """See the module's docstring."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Resolve and check the settings; nothing else."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            values = resolve_environment(task_vars or {}, self._templar, self._loader)
        except RefusedError as refused:
            raise AnsibleActionFail(str(refused)) from None
        result["msg"] = f"{values['stack_environment']}: {len(values)} settings are valid"
        return result
