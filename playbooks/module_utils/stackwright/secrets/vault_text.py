"""The plain text of a vault: which entries it has, and how generated ones are added below them."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ..settings.schema import Setting
from ..settings.validation import texts_in

# Nothing that a shell, a web address or a file format reads as something of its own.
ALPHABET = string.ascii_letters + string.digits
LENGTH = 40  # characters, 238 bits


class VaultTextError(Exception):
    """A text that nothing can be added to; the message says why and never quotes it."""


def missing_secrets(schema: Mapping[str, Setting], task_vars: Mapping[str, Any]) -> list[Setting]:
    """The secrets that the environment takes from its vault and that are not there; no value is looked at."""

    def is_taken_from_the_vault(setting: Setting) -> bool:
        named = re.compile(rf"\b{re.escape(setting.vault_variable)}\b")
        return any(named.search(text) for text in texts_in(task_vars.get(setting.name)))

    return [
        setting
        for setting in schema.values()
        if setting.secret
        and setting.vault_variable not in task_vars
        and is_taken_from_the_vault(setting)
    ]


def _entries(text: str) -> dict[str, str]:
    """Each entry as YAML, by name."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:  # its message quotes the text
        raise VaultTextError("is no list of names and values") from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise VaultTextError("is no list of names and values")
    return {str(key.value): yaml.serialize(value) for key, value in root.value}


def _head(environment: str) -> str:
    make = f"`make secrets ENV={environment}`"
    return f"---\n# Secrets of the environment {environment}. {make} adds what is missing and changes nothing.\n"


def _entry(setting: Setting) -> str:
    value = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f'# {setting.meaning}\n{setting.vault_variable}: "{value}"\n'


def with_generated(
    text: str, missing: Sequence[Setting], environment: str
) -> tuple[list[Setting], str]:
    """Those of ``missing`` that ``text`` lacks, and the text with each of them and its purpose below the rest.

    Raises VaultTextError where that would not leave every other entry as it is.
    """
    before = _entries(text)
    added = [setting for setting in missing if setting.vault_variable not in before]
    if not added:
        return [], text
    start = f"{text.removesuffix(chr(10))}\n" if text else _head(environment)
    longer = "\n".join([start, *(_entry(setting) for setting in added)])
    after = _entries(longer)
    if after | before != after or len(after) != len(before) + len(added):
        raise VaultTextError("cannot be added to as it is written")
    return added, longer
