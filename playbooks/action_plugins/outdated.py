"""Action plugin ``outdated``: what is behind, as ``lines``. Takes no arguments; without a network it says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright import layout
from stackwright.actions.environment_action import EnvironmentAction
from stackwright.images.licences_page import LOCKS
from stackwright.images.outdated import debian_lines, image_lines, python_lines
from stackwright.images.references import stand_ins


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the package index, the registries and, in the stand-ins that are here, the Debian mirror."""
        values = self.settings(variables, secrets=False)
        locks = {**LOCKS, "tools": layout.PROJECT / "requirements-dev.txt"}
        lines = [
            *python_lines(locks),
            *image_lines(values),
            *debian_lines(stand_ins(values["debian_mirror"]).values()),
        ]
        return {"changed": False, "lines": lines}
