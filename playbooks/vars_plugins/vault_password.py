"""Vars plugin ``vault_password``: name the file and the fix when one of variables cannot be read.

That is an encrypted one whose password is missing or wrong, or one that is damaged. Ansible's own message names
neither. Enabled in ansible.cfg before ``host_group_vars``, which reads the same files and finds them in the loader's
cache; this one adds no variables.
"""

from __future__ import annotations

from binascii import unhexlify
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.group import Group
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import AnsibleVaultError
from ansible.plugins.vars import BaseVarsPlugin

DOCUMENTATION = """
    name: vault_password
    short_description: names the variable file that cannot be read, and what to do
    description:
        - Fails where a variable file of a group or host is encrypted and the vault password is missing or wrong, or
          where the file is damaged, is no UTF-8 or is no YAML.
    options: {}
"""
VAULT_HEADER = b"$ANSIBLE_VAULT;"
OPTIONS = "add --ask-vault-pass or --vault-password-file FILE, or set ANSIBLE_VAULT_PASSWORD_FILE"
# Of AES, in bytes.
BLOCK = 16


def _is_whole(vault: bytes) -> bool:
    """Whether an encrypted file has all its parts: salt, HMAC and blocks, each in hex, in hex again (AES256 only)."""
    try:
        parts = unhexlify(b"".join(vault.split()[1:])).split(b"\n")
        salt, hmac, blocks = map(unhexlify, parts)
    except ValueError:
        return False
    return bool(salt) and len(hmac) == 32 and len(blocks) % BLOCK == 0


def _trouble(file: str, content: bytes) -> str:
    """Why the content of a variable file cannot be read, whatever the password; empty if it can."""
    if content.startswith(VAULT_HEADER):
        whole = b";AES256" not in content.partition(b"\n")[0] or _is_whole(content)
        damage = "is encrypted with Ansible Vault and is damaged or cut off"
        return "" if whole else f"{file} {damage}: put back a copy of it"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"{file}:{line} is no UTF-8 text: save it as UTF-8, for example with iconv -f latin1 -t utf-8"
    return ""


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]
    """See the module's docstring."""

    REQUIRES_ENABLED = True

    def get_vars(self, loader: DataLoader, path: str, entities: list[Any] | Any) -> dict[str, Any]:
        """Open the files of ``entities``. Raises AnsibleError for one that cannot be read."""
        for entity in entities if isinstance(entities, list) else [entities]:
            folder = Path(path) / ("group_vars" if isinstance(entity, Group) else "host_vars")
            for file in loader.find_vars_files(str(folder), entity.name) if folder.is_dir() else []:
                _open(loader, file)
        return {}


def _open(loader: DataLoader, file: str) -> None:
    if trouble := _trouble(file, Path(file).read_bytes()):
        raise AnsibleError(trouble)
    try:
        loader.load_from_file(file, cache="all", unsafe=True, trusted_as_template=True)
    except AnsibleVaultError:
        known = loader._vault.secrets
        state = "the password given does not open it" if known else "no password was given"
        text = f"{file} is encrypted with Ansible Vault ({state}): {OPTIONS}"
        raise AnsibleError(text) from None
    except AnsibleParserError as error:
        mark = getattr(error.__cause__, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise AnsibleError(f"{file}{line} is no YAML: correct it there, or a line before") from None
