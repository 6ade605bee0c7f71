"""Action plugin ``stand_in_images``: the references of the stand-in base images, as the fact ``_stand_ins`` by kind.

Takes no arguments; reads the setting ``debian_mirror``, which is part of what the images are made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright.environment_action import EnvironmentAction
from stackwright.images.base_images import stand_ins


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Validate the settings and name the images."""
        mirror = self.settings(variables)["debian_mirror"]
        return {"ansible_facts": {"_stand_ins": stand_ins(mirror)}}
