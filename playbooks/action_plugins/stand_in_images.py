"""Action plugin ``stand_in_images``: the references of the stand-in base images, as the fact ``_stand_ins`` by kind.

Takes no arguments; reads the setting ``debian_mirror``, which is part of what the images are made of.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from ansible.plugins.action import ActionBase
from stackwright.base_images import stand_ins
from stackwright.problems import RefusedError
from stackwright.resolve import resolve_environment


class ActionModule(ActionBase):  # type: ignore[misc]
    """See the module's docstring."""

    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Validate the settings and name the images."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            values = resolve_environment(task_vars or {}, self._templar, self._loader)
        except RefusedError as refused:
            return result | {"failed": True, "msg": str(refused)}
        return result | {"ansible_facts": {"_stand_ins": stand_ins(values["debian_mirror"])}}
