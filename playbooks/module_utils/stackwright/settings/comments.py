"""The commented defaults in inventories/group_vars/all/*.yml, read as what they are: the manual.

A file begins with a comment about itself. Then come groups: a comment, right below it the settings it is about, then
an empty line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

FIRST_SENTENCE = re.compile(r".*?\.(?=\s|$)", re.DOTALL)


@dataclass(frozen=True)
class Default:
    """One default: ``text`` is the value as written, without quotes around a text that is not empty."""

    name: str
    line: int
    text: str


@dataclass(frozen=True)
class Group:
    """Settings that one comment is about; ``comment`` is empty where there is none."""

    comment: str
    defaults: tuple[Default, ...]


@dataclass(frozen=True)
class DefaultsFile:
    """A file of defaults: what it says about itself, and its groups in the order written."""

    path: Path
    intro: str
    groups: tuple[Group, ...]


def first_sentence(text: str) -> str:
    """``text`` up to its first full stop before a space, on one line; all of it where there is none."""
    found = FIRST_SENTENCE.match(text)
    return " ".join((found[0] if found else text).split())


def _text_of(node: yaml.Node, content: str) -> str:
    if isinstance(node, yaml.ScalarNode) and node.value:
        return str(node.value)
    lines = content[node.start_mark.index : node.end_mark.index].rstrip().splitlines()
    indent = " " * node.start_mark.column
    return "\n".join(line.removeprefix(indent) for line in lines)


def _defaults_in(content: str) -> dict[int, Default]:
    """The settings of a file by the index of their line."""
    root = yaml.compose(content, Loader=yaml.SafeLoader)  # the C loader gives no positions in text
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return {
        key.start_mark.line: Default(
            str(key.value), key.start_mark.line + 1, _text_of(value, content)
        )
        for key, value in pairs
    }


def _groups_in(lines: list[str], defaults: dict[int, Default]) -> Iterator[Group]:
    """The groups of a file. A comment that no setting follows is a group without settings."""
    comment: list[str] = []
    named: list[Default] = []
    for number, line in enumerate([*lines, ""]):
        if number in defaults:
            named.append(defaults[number])
        elif line.startswith("#") and not named:
            comment.append(line[1:].removeprefix(" ").rstrip())
        elif line.startswith("#") or not line.strip():
            if comment or named:
                yield Group("\n".join(comment), tuple(named))
            comment, named = ([line[1:].removeprefix(" ")] if line.startswith("#") else []), []


def read_defaults(path: Path) -> DefaultsFile:
    """Read a file of defaults. Raises yaml.YAMLError for one that is no YAML."""
    content = path.read_text(encoding="utf-8")
    groups = list(_groups_in(content.splitlines(), _defaults_in(content)))
    has_intro = bool(groups) and not groups[0].defaults
    intro = groups.pop(0).comment if has_intro else ""
    return DefaultsFile(path, intro, tuple(groups))
