"""Action plugin ``destroy_environment``: list everything that an environment has on its host, or remove it.

Arguments: ``confirm``, the environment's name, without which it only lists, and fails; ``data``, the name again, to
remove its volumes and the data of embedded processes too; ``adopt``, to remove containers of another checkout.
Its settings need not be valid, its vault not be open, and its inventory and output folder may be gone.
Returns ``changed`` and ``lines``. Check mode removes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stackwright import layout
from stackwright.actions.environment_action import EnvironmentAction
from stackwright.output.hosts import Host
from stackwright.output.run_lock import THIS_RUN
from stackwright.runtimes.belongings import DATA, KINDS, Belongings, Names
from stackwright.runtimes.compose.project import refusal
from stackwright.settings.catalogue import volume_names
from stackwright.settings.resolve import check_name, environment_of


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Look, and with the right words remove."""
        environment = self._environment = environment_of(variables)
        inventory = Path(str(variables.get("inventory_file") or layout.INVENTORIES))
        check_name(environment, self.schema["stack_environment"], inventory)
        for name in ("confirm", "data"):
            if self._word(name) not in ("", environment):
                reason = f"destroy_{name} (make: {name.upper()}) is not its name"
                return {
                    "failed": True,
                    "msg": f"environment {environment}: {reason}; nothing was removed",
                }
        if self._word("confirm"):
            self.lock_environments()
        place, names = self._place_and_names(environment, variables)
        found = self._look(names, place)
        if found.foreign and not self.flag("adopt"):
            msg = refusal(environment, " ".join(found.projects), str(place.output), found.foreign)
            return {"failed": True, "msg": msg}
        listed = self._listing(found, place, KINDS + DATA)
        if not listed and not found.unknown:
            THIS_RUN.forget(environment)
            return {"lines": [f"nothing is left of {environment} on {self.host.name}"]}
        if self._word("confirm") and self._task.check_mode:
            coming = self._listing(found, place, self._taken())
            return {"changed": bool(coming), "lines": ["would be removed", *coming]}
        if self._word("confirm"):
            return self._remove(environment, replace(names, projects=found.projects), place, found)
        head = f"environment {environment} has on {self.host.name}"
        how = f"make destroy ENV={environment} CONFIRM={environment}"
        unknown = self._unknown(found)
        asked = [
            f"Nothing was removed. All but the data is by: {how}",
            f"The data too, for good: {how} DATA={environment}",
        ]
        return {"failed": True, "msg": "\n".join([head, *listed, *unknown, *asked])}

    def _word(self, name: str) -> str:
        return str(self._templar.template(self._task.args.get(name, "")))

    def _taken(self) -> tuple[str, ...]:
        """The kinds of things that the words given ask to remove."""
        return KINDS + (DATA if self._word("data") else ())

    def _place_and_names(
        self, environment: str, variables: Mapping[str, Any]
    ) -> tuple[layout.Place, Names]:
        def setting(name: str) -> str:
            return str(self._templar.template(variables[name]))

        place = layout.place_of(environment, setting("stack_output_dir"), self.host.remote)
        services, prefix = variables["stack_services"], setting("stack_container_prefix")
        return place, Names(
            projects=[setting("stack_project")],
            volumes=[
                volume for entry in services.values() for volume in self._volumes(entry, prefix)
            ],
            services=list(services),
            output=str(place.output),
        )

    def _volumes(self, entry: Mapping[str, Any], prefix: str) -> Iterable[str]:
        volumes = self._templar.template(entry.get("volumes", {}))
        return map(str, volume_names({"volumes": volumes}, prefix).values())

    def _look(self, names: Names, place: layout.Place) -> Belongings:
        """What there is on the host, and of another host what this machine keeps of it."""
        found = Belongings(**self.host.call("belongings", names=asdict(names)))
        if not place.remote:
            return found
        here = Belongings(**Host().call("belongings", names=asdict(self._reports(place))))
        files = [str(place.reports / path) for path in here.things["files"]]
        return replace(found, things={**found.things, "files": found.things["files"] + files})

    def _reports(self, place: layout.Place) -> Names:
        return Names([], [], [], str(place.reports))

    def _listing(self, found: Belongings, place: layout.Place, kinds: tuple[str, ...]) -> list[str]:
        """A line for each kind of which there is something."""
        lines = []
        for kind in kinds:
            things = found.things.get(kind, [])
            shown = f"{len(things)} in {place.output}" if kind == "files" else ", ".join(things)
            lines += [f"  {kind:<12}{shown}"] if things else []
        return lines

    def _unknown(self, found: Belongings) -> list[str]:
        if not found.unknown:
            return []
        return [f"  unknown     containers, networks, images and volumes: {found.unknown}"]

    def _remove(
        self, environment: str, names: Names, place: layout.Place, found: Belongings
    ) -> dict[str, Any]:
        """Remove, look again, and say what is left."""
        data = bool(self._word("data"))
        wrong = self.host.call("remove_belongings", names=asdict(names), data=data)
        if place.remote:
            wrong += Host().call(
                "remove_belongings", names=asdict(self._reports(place)), data=False
            )
        left = self._look(names, place)
        kept = [] if data else self._listing(left, place, DATA)
        removed = self._listing(found, place, self._taken())
        lines = ["removed", *removed] if removed else ["nothing to remove"]
        if kept:
            how = f"make destroy ENV={environment} CONFIRM={environment} DATA={environment}"
            lines += ["kept", *kept, f"for good: {how}"]
        rest = self._listing(left, place, self._taken())
        if wrong or rest or left.unknown:
            said = [*rest, *self._unknown(left), *(f"  {line}" for line in wrong)]
            return {
                "failed": True,
                "changed": True,
                "msg": "\n".join([*lines, "not removed", *said]),
            }
        if not kept:
            THIS_RUN.forget(environment)
        return {"changed": bool(removed), "lines": lines}
