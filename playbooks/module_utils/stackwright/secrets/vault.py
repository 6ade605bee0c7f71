"""Add generated secrets to an environment's vault file: nothing that is there is ever changed or lost.

What is decrypted here leaves only encrypted again.
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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

from ..output.write import replace_file
from ..settings.problems import Problem, RefusedError
from ..settings.schema import Setting
from ..settings.sources import VARIABLE_SUFFIXES
from ..settings.validation import texts_in
from ..system import lock_folder

GIVE_PASSWORD = (
    "write one into a file of yours, in no checkout (`umask 077; openssl rand -base64 32 > FILE`), then set "
    "ANSIBLE_VAULT_PASSWORD_FILE=FILE; or add --ask-vault-pass (make: ARGS=--ask-vault-pass)"
)
# Nothing that a shell, a web address or a file format reads as something of its own.
ALPHABET = string.ascii_letters + string.digits
LENGTH = 40  # characters, 238 bits
LOCK_SECONDS = 60.0  # another run writes one small file meanwhile


class VaultTextError(Exception):
    """A text that nothing can be added to; the message says why and never quotes it."""


def missing_secrets(
    schema: Mapping[str, Setting],
    task_vars: Mapping[str, Any],
    names: Mapping[str, Iterable[str]],
) -> list[Setting]:
    """The secrets that the environment takes from its vault and that are not there; no value is looked at.

    ``names`` are those that mappings of secrets must have, by setting. A member is called ``setting.name``.
    """

    def is_taken_from_the_vault(setting: Setting) -> bool:
        named = re.compile(rf"\b{re.escape(setting.vault_variable)}\b")
        return any(named.search(text) for text in texts_in(task_vars.get(setting.name)))

    missing = []
    for setting in schema.values():
        if not setting.secret or not is_taken_from_the_vault(setting):
            continue
        present = task_vars.get(setting.vault_variable)
        if setting.each:
            there = present if isinstance(present, Mapping) else ()
            wanted = [name for name in names[setting.name] if name not in there]
            missing += [replace(setting, name=f"{setting.name}.{name}") for name in wanted]
        elif setting.vault_variable not in task_vars:
            missing.append(setting)
    return missing


def former_variable(member: Setting) -> str:
    """The variable that a member of a mapping of secrets had when each had one of its own."""
    mapping, _, name = member.vault_variable.partition(".")
    return mapping.removesuffix("secrets") + name


def _nodes(text: str) -> dict[str, yaml.Node]:
    """Each entry of a text, by name."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:  # its message quotes the text
        raise VaultTextError("is no list of names and values") from None
    if root is None or root.tag == "tag:yaml.org,2002:null":
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise VaultTextError("is no list of names and values")
    return {str(key.value): value for key, value in root.value}


def _entries(text: str) -> dict[str, str]:
    """Each entry as YAML by name, and those of mappings as ``mapping.name``."""
    found: dict[str, str] = {}
    for name, node in _nodes(text).items():
        if isinstance(node, yaml.MappingNode):
            found |= {f"{name}.{key.value}": yaml.serialize(value) for key, value in node.value}
        else:
            found[name] = yaml.serialize(node)
    return found


def _head(environment: str) -> str:
    make = f"`make secrets ENV={environment}`"
    return f"---\n# Secrets of the environment {environment}. {make} adds what is missing and changes nothing.\n"


def _with_entry(text: str, setting: Setting) -> str:
    """The text with a secret, generated or as it was under its former name, below the rest or in its mapping."""
    value = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    variable, _, member = setting.vault_variable.partition(".")
    nodes = _nodes(text)
    former, mapping = nodes.get(former_variable(setting)), nodes.get(variable)
    if member and isinstance(former, yaml.ScalarNode) and former.tag == "tag:yaml.org,2002:str":
        value = former.value
    entry = f"{member or variable}: {json.dumps(value)}"
    if mapping is None:
        own = f"{variable}:\n  {entry}" if member else entry
        return f"{text.removesuffix(chr(10))}\n\n# {setting.meaning}\n{own}\n"
    if not isinstance(mapping, yaml.MappingNode):
        raise VaultTextError(f"has no mapping as {variable}")
    if not mapping.value:
        place, separator = mapping.start_mark.index + 1, ""
    else:
        start = mapping.value[0][0].start_mark
        place, separator = start.index, ", " if mapping.flow_style else f"\n{' ' * start.column}"
    return f"{text[:place]}{entry}{separator}{text[place:]}"


def with_generated(
    text: str, missing: Sequence[Setting], environment: str, defined: Collection[str] = ()
) -> tuple[list[Setting], str]:
    """Those of ``missing`` that ``text`` lacks, and the text with each of them and its purpose.

    ``defined`` are the variables that are set anywhere. Raises VaultTextError where a mapping of secrets is in another
    file, which this one would hide, and where the result would not leave every other entry as it is.
    """
    before = _entries(text)
    for variable in {setting.vault_variable.partition(".")[0] for setting in missing}:
        if variable in defined and variable not in _nodes(text):
            raise VaultTextError(f"has no {variable}, which is set elsewhere and lacks secrets")
    added = [setting for setting in missing if setting.vault_variable not in before]
    if not added:
        return [], text
    longer = text or _head(environment)
    for setting in added:
        longer = _with_entry(longer, setting)
    after = _entries(longer)
    if after | before != after or len(after) != len(before) + len(added):
        raise VaultTextError("cannot be added to as it is written")
    return added, longer


@dataclass(frozen=True)
class _Opened:
    """A vault's text, and what it is encrypted with; an empty text where there is no file yet."""

    text: str
    vault_id: str | None
    secret: VaultSecret | None


class SecretVault:
    """The vault file of ``environment`` at ``path``, opened with the passwords that ``vault`` knows.

    ``shown`` is the path as messages name it. Methods raise RefusedError with nothing written.
    """

    def __init__(self, path: Path, shown: str, environment: str, vault: VaultLib) -> None:
        self.path = path
        self.shown = shown
        self.environment = environment
        self.vault = vault

    def add(
        self, missing: Sequence[Setting], dry: bool = False, defined: Collection[str] = ()
    ) -> list[Setting]:
        """Generate ``missing`` as far as the file has none by that name. Returns what was generated.

        ``defined`` are the variables that are set anywhere. ``dry`` writes nothing and returns the same.
        """
        try:
            if missing:
                self._check_place()
            if dry or not missing:
                return self._extended(missing, defined)[0]
            # Only one run at a time reads and replaces the file.
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with lock_folder(self.path.parent, LOCK_SECONDS):
                added, content = self._extended(missing, defined)
                if added:
                    replace_file(self.path, content)
                return added
        except TimeoutError as error:
            reason = f"{error.strerror}; nothing was written"
            raise self._refused(reason, "run it again when that has ended") from None
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

    def _open(self) -> _Opened:
        try:
            content = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
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

    def _extended(
        self, missing: Sequence[Setting], defined: Collection[str]
    ) -> tuple[list[Setting], bytes]:
        """What is added to the file, and its whole new encrypted content."""
        opened = self._open()
        try:
            added, text = with_generated(opened.text, missing, self.environment, defined)
        except VaultTextError as error:
            raise self._refused(str(error), self._rewrite()) from None
        return added, self._encrypted(text, opened) if added else b""

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
