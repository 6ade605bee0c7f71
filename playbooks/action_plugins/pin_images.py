"""Action plugin ``pin_images``: record the digests that the registries' images have today.

Goes over the environment's base images and the finished images of its enabled services, and writes the setting
``image_digests`` into the inventory's group_vars/all/digests.yml; entries of other images stay. All or nothing.
Takes no arguments. Returns ``changed`` and ``lines``. Check mode writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright import layout
from stackwright.actions.environment_action import EnvironmentAction
from stackwright.images.registry import (
    RegistryError,
    current_digest,
    registry_images,
    with_digests,
)
from stackwright.output.write import replace_file
from stackwright.settings.problems import Problem, RefusedError


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for every digest, then write the file if one is new."""
        values = self.settings(variables)
        asked = self._ask(values)
        before = values["image_digests"]
        lines = [
            f"{'kept' if before.get(reference) == digest else 'pinned':<6}  {reference}  {digest}"
            for reference, digest in asked.items()
        ]
        changed = any(before.get(reference) != digest for reference, digest in asked.items())
        if changed and not self._task.check_mode:
            inventory = Path(str(variables.get("inventory_file") or layout.INVENTORIES))
            folder = inventory if inventory.is_dir() else inventory.parent
            path = folder / "group_vars" / "all" / "digests.yml"
            text = with_digests(path.read_text(encoding="utf-8"), {**before, **asked})
            replace_file(path, text.encode(), 0o644)
            lines.append(
                f"into {path.name}: `make docs` shows them in docs/settings.md; commit both"
            )
        return {"changed": changed, "lines": lines}

    def _ask(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Digest by reference. Raises RefusedError with every registry that gave none."""
        asked, problems = {}, []
        for reference in registry_images(values):
            try:
                asked[reference] = current_digest(reference, values["registry_timeout_seconds"])
            except RegistryError as error:
                fix = "run it where that registry answers, or raise registry_timeout_seconds"
                where = "inventories/group_vars/all/digests.yml"
                problems.append(Problem("image_digests", f"{reference}: {error}", fix, where))
        if problems:
            raise RefusedError(self._environment, problems)
        return asked
