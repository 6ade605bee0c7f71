"""Action plugin ``check_neighbours``: refuse environments that would share something on one host.

Compares the environments of this run with each other and with those of the other inventory files beside the one in
use. What cannot be read there (secrets in a vault without its password, a refused setting) is left out, the rest is
compared; only a file that Ansible cannot read at all is skipped, and said so.
Takes no arguments; run it once per play. Fails with every conflict, naming environment, setting and file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import AnsibleVaultError
from ansible.vars.manager import VariableManager
from stackwright import layout
from stackwright.actions.environment_action import EnvironmentAction
from stackwright.settings.conflicts import Claims, claims_of, conflicts
from stackwright.settings.problems import RefusedError

INVENTORY_SUFFIXES = {".yml", ".yaml"}
THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


class OpenLoader(DataLoader):  # type: ignore[misc]
    """Reads variable files as Ansible does, but takes a vault that it cannot open for an empty file."""

    def load_from_file(self, file_name: str, *arguments: Any, **options: Any) -> Any:
        """As DataLoader's, without its AnsibleVaultError."""
        try:
            return super().load_from_file(file_name, *arguments, **options)
        except AnsibleVaultError:
            return {}


def _host_of(host_vars: dict[str, Any]) -> str:
    """The machine behind an inventory host, as far as its name tells."""
    address = str(host_vars.get("ansible_host", host_vars["inventory_hostname"]))
    return (
        "localhost"
        if host_vars.get("ansible_connection") == "local" or address in THIS_MACHINE
        else address
    )


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Collect the claims of every environment and fail where two of them collide."""
        extra = self.extra_variables
        skipped: list[str] = []
        found = list(self._claims(self._hosts_in_play(variables), extra, skipped))
        ours = [claims.environment for claims in found]
        for claims in self._claims(self._hosts_beside(variables, skipped), set(), skipped):
            if claims.environment not in ours:  # several inventories may lead to one environment
                found.append(claims)
        problems = conflicts(found, ours)
        if problems:
            said = "\n".join(str(RefusedError(*item)) for item in problems.items())
            return {"failed": True, "msg": said}
        names = ", ".join(claims.environment for claims in found)
        beside = f"; not compared: {', '.join(skipped)}" if skipped else ""
        return {"msg": f"no conflicts between {names}{beside}"}

    def _hosts_in_play(self, variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for host in variables["ansible_play_hosts"]:
            yield variables["hostvars"].raw_get(host)

    def _hosts_beside(
        self, variables: Mapping[str, Any], skipped: list[str]
    ) -> Iterator[dict[str, Any]]:
        """Variables of the hosts outside this play: left out by --limit, or in inventories beside those in use."""
        in_use = {Path(str(source)).resolve() for source in variables["ansible_inventory_sources"]}
        folders = {path if path.is_dir() else path.parent for path in in_use}
        files = {
            path
            for folder in folders
            for path in folder.glob("*")
            if path.suffix in INVENTORY_SUFFIXES
        }
        in_play = set(variables["ansible_play_hosts"])
        if set(variables["groups"]["all"]) <= in_play:
            files -= in_use
        loader = OpenLoader()
        loader.set_vault_secrets(self._loader._vault.secrets)
        for path in sorted(files):
            try:
                yield from self._hosts_of_inventory(path, loader)
            except AnsibleError:
                skipped.append(path.name)

    def _hosts_of_inventory(self, path: Path, loader: DataLoader) -> list[dict[str, Any]]:
        inventory = InventoryManager(loader=loader, sources=[str(path)])
        manager = VariableManager(loader=loader, inventory=inventory)
        manager._extra_vars = {}  # -e is meant for the environments of this run
        folders = {"playbook_dir": str(layout.PROJECT / "playbooks")}
        return [manager.get_vars(host=host) | folders for host in inventory.get_hosts()]

    def _claims(
        self, hosts: Iterator[dict[str, Any]], extra: set[str], skipped: list[str]
    ) -> Iterator[Claims]:
        for host_vars in hosts:
            templar = self._templar.copy_with_new_env(available_variables=host_vars)
            try:
                seen = self.look(host_vars, templar, extra)
            except RefusedError:
                skipped.append(str(host_vars["inventory_hostname"]))
            else:
                secrets = [name for name, setting in seen.schema.items() if setting.secret]
                yield claims_of(seen.environment, seen.values, _host_of(host_vars), secrets, extra)
