"""Where a setting is written: the file and line to edit, and how its value is spelled there.

Ansible merges variables without saying where each came from, and YAML 1.1 reads ``56:22`` as 3382 and ``0123`` as 83.
Both are answered from the files themselves, parsed without resolving scalars: the origin that Ansible tags values with
is missing for yes/no and for what is empty, has no line in JSON, and does not say how a number was spelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from .schema import Setting

VAULT_HEADER = b"$ANSIBLE_VAULT;"
# Extensions of variable files, in the order in which Ansible looks for them (source: docs.ansible.com,
# YAML_FILENAME_EXTENSIONS; a folder or a file without extension comes first and hides the others).
VARIABLE_SUFFIXES = ("", ".yml", ".yaml", ".json")
YAML_SUFFIXES = {".yml", ".yaml"}
TEMPLATE = re.compile(r"\{\{|\{%")
NUMBER_TAGS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
DECIMAL_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


@dataclass(frozen=True)
class Source:
    """A place where a setting is written: ``text`` is the scalar as spelled (empty for mappings and lists).

    It is readable where a text in it is neither a template nor encrypted with Ansible Vault.
    """

    path: Path
    line: int
    text: str
    is_readable: bool = True
    odd_number: bool = False

    def describe(self, root: Path) -> str:
        """Path relative to ``root`` where possible, with the line."""
        path = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        return f"{path}:{self.line}"


def _entries(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """The key/value pairs of a mapping: (key as text, key node, value node)."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key, value


def _has_odd_number(node: yaml.Node) -> bool:
    """Whether a number in ``node`` is written otherwise than in decimal digits: 56:22, 0123, 0x10, 1_000, .nan."""
    if isinstance(node, yaml.ScalarNode):
        return node.tag in NUMBER_TAGS and not DECIMAL_NUMBER.fullmatch(node.value)
    if isinstance(node, yaml.SequenceNode):
        return any(_has_odd_number(item) for item in node.value)
    return any(_has_odd_number(value) for _, _, value in _entries(node))


def _is_readable(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        is_template = node.tag != "!unsafe" and TEMPLATE.search(node.value)
        return not is_template and node.tag != "!vault"
    parts = [value for _, _, value in _entries(node)] or getattr(node, "value", [])
    return any(_is_readable(part) for part in parts)


def _compose(path: Path) -> yaml.Node | None:
    """The file as YAML nodes; None when it is encrypted or empty."""
    content = path.read_bytes()
    if content.startswith(VAULT_HEADER):
        return None
    return yaml.compose(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _sources_in(path: Path, node: yaml.Node | None) -> dict[str, Source]:
    return {
        name: Source(
            path=path,
            line=key.start_mark.line + 1,
            text=value.value if isinstance(value, yaml.ScalarNode) else "",
            is_readable=_is_readable(value),
            odd_number=_has_odd_number(value),
        )
        for name, key, value in _entries(node)
    }


@lru_cache(maxsize=512)
def _variables_of_file(path: Path, _version: int) -> dict[str, Source]:
    return _sources_in(path, _compose(path))


Variables = dict[str, dict[str, Source]]


@lru_cache(maxsize=16)
def _variables_of_inventory(path: Path, _version: int) -> tuple[Variables, Variables]:
    """A YAML inventory's variables, by host and (those under ``vars``) by group."""
    of_hosts: Variables = {}
    of_groups: Variables = {}

    def read_groups(groups: yaml.Node | None) -> None:
        for name, _, group in _entries(groups):
            parts = {key: value for key, _, value in _entries(group)}
            for host, _, variables in _entries(parts.get("hosts")):
                of_hosts.setdefault(host, {}).update(_sources_in(path, variables))
            of_groups.setdefault(name, {}).update(_sources_in(path, parts.get("vars")))
            read_groups(parts.get("children"))

    read_groups(_compose(path))
    return of_hosts, of_groups


def _files_in(folder: Path) -> list[Path]:
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if path.is_dir() and not path.suffix:
            found += _files_in(path)
        elif path.is_file() and path.suffix in VARIABLE_SUFFIXES:
            found.append(path)
    return found


def _variable_files(place: Path) -> list[Path]:
    """The files Ansible reads for ``group_vars/<name>``, the one that beats the others first."""
    for suffix in VARIABLE_SUFFIXES:
        path = place.with_name(place.name + suffix)
        if path.is_dir():
            return _files_in(path)[::-1]
        if path.is_file():
            return [path]
    return []


class Sources:
    """Finds where the settings of one host are written, in the order in which Ansible lets one beat another.

    ``in_inventory`` are the environment's group variables in the inventory file itself: Ansible lets group_vars/all
    beat those, so a setting among them never counts.
    """

    def __init__(
        self, inventory: Path, environment: str, host: str, extra_variables: set[str], root: Path
    ) -> None:
        folder = inventory if inventory.is_dir() else inventory.parent
        self.environment = environment
        self.extra_variables = extra_variables
        self.root = root
        self.in_inventory: dict[str, Source] = {}
        of_host: dict[str, Source] = {}
        self.files = _variable_files(folder / "host_vars" / host)
        groups = [
            path
            for group in (environment, "all")
            for path in _variable_files(folder / "group_vars" / group)
        ]
        if inventory.is_file() and inventory.suffix in YAML_SUFFIXES:
            of_hosts, of_groups = _variables_of_inventory(inventory, inventory.stat().st_mtime_ns)
            of_host = of_hosts.get(host, {})
            self.in_inventory = of_groups.get("all", {}) | of_groups.get(environment, {})
        read = [_variables_of_file(path, path.stat().st_mtime_ns) for path in self.files]
        read.append(of_host)
        read += [_variables_of_file(path, path.stat().st_mtime_ns) for path in groups]
        self._strongest_first = [*read, self.in_inventory]
        self.files += groups + ([inventory] if inventory.is_file() else [])

    def find(self, name: str) -> Source | None:
        """The strongest place that sets ``name`` in a readable file, or None."""
        return next(
            (variables[name] for variables in self._strongest_first if name in variables), None
        )

    def where(self, name: str, default: str) -> str:
        """The place for an error message; ``default`` where nothing sets it."""
        if name in self.extra_variables:
            return "the command line (-e)"
        source = self.find(name)
        return source.describe(self.root) if source else default

    def where_value(self, setting: Setting) -> str:
        """The place to edit a setting: for a secret that only refers to the vault, the vault."""
        home = setting.home(self.environment)
        source = self.find(setting.name)
        by_itself = setting.name in self.extra_variables or (
            source is not None and setting.vault_variable not in source.text
        )
        name = setting.name if by_itself or not setting.secret else setting.vault_variable
        return self.where(name, home)
