"""Settings resolved in this process by Ansible's own loader and templating: as in a play, in milliseconds."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret, VaultSecretsContext
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from stackwright.settings.problems import RefusedError
from stackwright.settings.resolve import Resolution, look_at_environment, plain

from tests.support.project import ROOT, VAULT_PASSWORD

SECRETS = [("default", VaultSecret(VAULT_PASSWORD.encode()))]


@functools.cache
def _start_ansible() -> None:
    """What ansible-playbook does before it runs anything, once per process."""
    context.CLIARGS = ImmutableDict(extra_vars=())
    init_plugin_loader([])
    VaultSecretsContext.initialize(VaultSecretsContext(SECRETS))


def look(inventory: Path, extra: Mapping[str, Any] | None = None) -> dict[str, Resolution]:
    """What is known of each environment of an inventory, by host (without ``-host``); ``extra`` is what -e sets."""
    _start_ansible()
    loader = DataLoader()
    loader.set_vault_secrets(SECRETS)
    manager = InventoryManager(loader=loader, sources=[str(inventory)])
    variables = VariableManager(loader=loader, inventory=manager)
    found = {}
    for host in manager.get_hosts():
        host_vars = (
            variables.get_vars(host=host)
            | {"playbook_dir": str(ROOT / "playbooks")}
            | dict(extra or {})
        )
        templar = Templar(loader=loader, variables=host_vars)
        try:
            seen = look_at_environment(host_vars, templar, set(extra or {}))
        except RefusedError as refused:
            seen = Resolution(refused.environment, {}, refused.problems)
        found[host.name.removesuffix("-host")] = seen
    return found


@functools.cache
def _dev_values() -> dict[str, Any]:
    seen = look(ROOT / "inventories" / "dev.yml")["dev"]
    assert not seen.problems, seen.problems
    return seen.values


@functools.cache
def _catalogue() -> Any:
    """The service catalogue with its templates."""
    path = str(ROOT / "inventories/group_vars/all/services.yml")
    return DataLoader().load_from_file(path, trusted_as_template=True)["stack_services"]


def changed(values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Settings with some of them replaced, and the catalogue made of them anew."""
    unknown = changes.keys() - values.keys()
    assert not unknown, f"no such settings: {unknown}"
    values = values | changes
    if changes and "stack_services" not in changes:
        templar = Templar(loader=DataLoader(), variables=dict(values))
        values["stack_services"] = plain(templar.template(_catalogue()))
    return values


def dev_values(**changes: Any) -> dict[str, Any]:
    """The shipped dev environment's settings as plain data, with some of them replaced."""
    shipped = {**_dev_values(), "build_ca_bundle": "", "build_pip_index_url": ""}
    return changed(shipped, **changes)
