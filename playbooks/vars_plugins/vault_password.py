"""Vars plugin ``vault_password``: name the encrypted file and the fix when its password is missing or wrong.

Ansible's own message names neither. Enabled in ansible.cfg before ``host_group_vars``, which reads the same files and
finds them in the loader's cache; this one adds no variables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.group import Group
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import AnsibleVaultError
from ansible.plugins.vars import BaseVarsPlugin

DOCUMENTATION = """
    name: vault_password
    short_description: names the encrypted file and the options that open it
    description:
        - Fails where a variable file of a group or host is encrypted and the vault password is missing or wrong.
    options: {}
"""
VAULT_HEADER = b"$ANSIBLE_VAULT;"


def _is_vault(path: str) -> bool:
    with Path(path).open("rb") as stream:
        return stream.read(len(VAULT_HEADER)) == VAULT_HEADER


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]
    """See the module's docstring."""

    REQUIRES_ENABLED = True

    def get_vars(self, loader: DataLoader, path: str, entities: list[Any] | Any) -> dict[str, Any]:
        """Open the vaults among the files of ``entities``. Raises AnsibleError for one that does not open."""
        for entity in entities if isinstance(entities, list) else [entities]:
            folder = Path(path) / ("group_vars" if isinstance(entity, Group) else "host_vars")
            for file in loader.find_vars_files(str(folder), entity.name) if folder.is_dir() else []:
                try:
                    if _is_vault(file):
                        loader.load_from_file(
                            file, cache="all", unsafe=True, trusted_as_template=True
                        )
                except AnsibleVaultError:
                    state = (
                        "the password given does not open it"
                        if loader._vault.secrets
                        else "no password was given"
                    )
                    raise AnsibleError(
                        f"{file} is encrypted with Ansible Vault ({state}): add --ask-vault-pass or "
                        "--vault-password-file FILE, or set ANSIBLE_VAULT_PASSWORD_FILE"
                    ) from None
        return {}
