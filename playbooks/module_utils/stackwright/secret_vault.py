"""Add generated secrets to an environment's vault file: nothing that is there is ever changed or lost.

This module knows Ansible's vault library; values are made here and leave it only encrypted.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import (
    VaultLib,
    VaultSecret,
    is_encrypted,
    match_encrypt_secret,
    parse_vaulttext_envelope,
)

from .problems import Problem, RefusedError
from .schema import Setting
from .setting_sources import VARIABLE_SUFFIXES
from .validation import texts_in
from .writing import replace_file

ALPHABET = (
    string.ascii_letters + string.digits
)  # nothing that a shell, an address or a file format reads as its own
LENGTH = 40  # 238 bits
GIVE_PASSWORD = (
    "write one into a file of yours, in no checkout (`umask 077; openssl rand -base64 32 > FILE`), then set "
    "ANSIBLE_VAULT_PASSWORD_FILE=FILE; or add --ask-vault-pass (make: ARGS=--ask-vault-pass)"
)


@dataclass(frozen=True)
class _Opened:
    """A vault's text, and what it is encrypted with; an empty text where there is no file yet."""

    text: str
    vault_id: str | None
    secret: VaultSecret | None


def missing_secrets(schema: Mapping[str, Setting], task_vars: Mapping[str, Any]) -> list[Setting]:
    """The secrets that the environment takes from its vault and that are not there; no value is looked at."""
    return [
        setting
        for setting in schema.values()
        if setting.secret
        and setting.vault_variable not in task_vars
        and any(setting.vault_variable in text for text in texts_in(task_vars.get(setting.name)))
    ]


def _names_in(text: str) -> dict[str, str]:
    """A vault's entries as YAML, by name. Raises yaml.YAMLError or ValueError for anything but a mapping."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise ValueError("no mapping")
    pairs = root.value if root else []
    return {str(key.value): yaml.serialize(value) for key, value in pairs}


class SecretVault:
    """The vault file of ``environment`` at ``path``, opened with the passwords that ``vault`` knows.

    ``shown`` is the path as messages name it. Methods raise RefusedError with nothing written.
    """

    def __init__(self, path: Path, shown: str, environment: str, vault: VaultLib) -> None:
        self.path = path
        self.shown = shown
        self.environment = environment
        self.vault = vault

    def add(self, missing: Sequence[Setting], dry: bool = False) -> list[Setting]:
        """Generate ``missing`` as far as the file has none by that name. Returns what was generated.

        ``dry`` writes nothing and returns the same.
        """
        try:
            if dry or not missing:
                self._check_place()
                return self._extended(self._open(), missing)[0]
            with self._locked():
                opened = self._open()
                added, content = self._extended(opened, missing)
                if added:
                    replace_file(self.path, content)
                return added
        except OSError as error:
            reason = f"{error.strerror or type(error).__name__}; nothing was written"
            fix = "give this user the permission to write there, or free space, then run it again"
            raise self._refused(reason, fix, str(error.filename or self.path)) from None

    def _refused(self, reason: str, fix: str, where: str = "") -> RefusedError:
        return RefusedError(
            self.environment, [Problem("vault.yml", reason, fix, where or self.shown)]
        )

    def _check_place(self) -> None:
        """Refuse to make a folder that would hide the file beside it from Ansible."""
        folder = self.path.parent
        for suffix in VARIABLE_SUFFIXES:
            file = folder.with_name(folder.name + suffix)
            if file.is_file() and not folder.is_dir():
                reason = "cannot be made: a folder for it would hide the settings beside it"
                fix = f"move {file.name} to {folder.name}/main.yml there"
                raise self._refused(reason, fix, str(file))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Make the folder, and let only one run at a time read and replace the file."""
        self._check_place()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _open(self) -> _Opened:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        if not content.strip():
            return _Opened("", None, None)
        if not is_encrypted(content):
            raise self._refused("is plain text", f"`ansible-vault encrypt {self.shown}`")
        try:
            plain, _, secret = self.vault.decrypt_and_get_vault_id(content)
            return _Opened(plain.decode(), parse_vaulttext_envelope(content)[3], secret)
        except AnsibleError:
            reason = "is encrypted, and no password that was given opens it"
            fix = "give the password it was encrypted with: ANSIBLE_VAULT_PASSWORD_FILE or --ask-vault-pass"
            raise self._refused(reason, fix) from None
        except UnicodeDecodeError:
            raise self._refused("holds no text", self._rewrite()) from None

    def _rewrite(self) -> str:
        return f"`ansible-vault edit {self.shown}` and write one `name: value` per line"

    def _extended(self, opened: _Opened, missing: Sequence[Setting]) -> tuple[list[Setting], bytes]:
        """What is added to the file, and its whole new encrypted content."""
        try:
            before = _names_in(opened.text)
            added = [setting for setting in missing if setting.vault_variable not in before]
            if not added:
                return [], b""
            text = self._with_entries(opened.text, added)
            after = _names_in(text)
        except (yaml.YAMLError, ValueError):  # their messages quote the text
            raise self._refused("is no list of names and values", self._rewrite()) from None
        if after | before != after or len(after) != len(before) + len(added):
            raise self._refused("cannot be added to as it is written", self._rewrite())
        return added, self._encrypted(text, opened)

    def _with_entries(self, text: str, added: Sequence[Setting]) -> str:
        lines = [
            f"# {setting.meaning}\n"
            f'{setting.vault_variable}: "{"".join(secrets.choice(ALPHABET) for _ in range(LENGTH))}"\n'
            for setting in added
        ]
        head = (
            f"---\n# Secrets of the environment {self.environment}. `make secrets ENV={self.environment}` adds what is "
            "missing and changes nothing.\n"
        )
        return "\n".join([text.removesuffix("\n") + "\n" if text else head, *lines])

    def _encrypted(self, text: str, opened: _Opened) -> bytes:
        vault_id, secret = opened.vault_id, opened.secret
        if secret is None:
            if not self.vault.secrets:
                raise self._refused(
                    "cannot be encrypted: there is no vault password", GIVE_PASSWORD
                )
            vault_id, secret = self._password_for_new_files()
        content: bytes = self.vault.encrypt(text.encode(), secret, vault_id)
        return content

    def _password_for_new_files(self) -> tuple[str, VaultSecret]:
        """The one that ansible-vault would take, with its id."""
        identity = constants.DEFAULT_VAULT_ENCRYPT_IDENTITY
        try:
            chosen: tuple[str, VaultSecret] = match_encrypt_secret(self.vault.secrets, identity)
        except AnsibleError:
            fix = f"add --vault-id {identity}@FILE, or name another id"
            reason = "cannot be encrypted: the password that ANSIBLE_VAULT_ENCRYPT_IDENTITY names was not given"
            raise self._refused(reason, fix) from None
        return chosen
