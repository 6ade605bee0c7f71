"""The files of commented defaults, inventories/group_vars/all/*.yml, read as what they are: the manual.

A file begins with a comment about itself. Then come groups: a comment, right below it the settings that it is about,
each with its rule in ``# @schema`` lines above the default, then an empty line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import layout

# Variables that are no settings: Ansible's; secrets that settings refer to; what playbooks register.
FREE_PREFIXES = ("ansible_", "vault_", "_")
ANNOTATION = re.compile(r"# ?@schema\b(.*)")
KEY = re.compile(r"([A-Za-z]\w*)\s*:(?=\s|$)", re.ASCII)
FIRST_SENTENCE = re.compile(r".*?\.(?=\s|$)", re.DOTALL)


@dataclass(frozen=True)
class Default:
    """The place of one default, and the text of its ``# @schema`` lines."""

    name: str
    line: int
    annotation: str


@dataclass(frozen=True)
class Group:
    """Settings that one comment is about; ``comment`` is empty where there is none."""

    comment: str
    defaults: tuple[Default, ...]
    annotation: str = ""


@dataclass(frozen=True)
class DefaultsFile:
    """A file of defaults: what it says about itself and of all its settings, and its groups in the order written."""

    path: Path
    intro: str
    annotation: str
    groups: tuple[Group, ...]

    def where(self, default: Default) -> str:
        """The place of a default, for people."""
        known = self.path.is_relative_to(layout.PROJECT)
        path = self.path.relative_to(layout.PROJECT) if known else self.path
        return f"{path}:{default.line}"


def first_sentence(text: str) -> str:
    """``text`` up to its first full stop before a space, on one line; all of it where there is none."""
    found = FIRST_SENTENCE.match(text)
    return " ".join((found[0] if found else text).split())


def _groups_in(lines: Sequence[str]) -> Iterator[Group]:
    """The groups of a file. A comment that no setting follows is a group without settings."""
    comment: list[str] = []
    annotation: list[str] = []
    named: list[Default] = []
    for number, line in enumerate([*lines, ""], start=1):
        if found := ANNOTATION.match(line):
            annotation.append(found[1].strip())
        elif found := KEY.match(line):
            if not found[1].startswith(FREE_PREFIXES):
                named.append(Default(found[1], number, " ".join(annotation)))
            annotation = []
        elif line.startswith("#") and not named:
            comment.append(line[1:].removeprefix(" ").rstrip())
        elif line.startswith("#") or not line.strip():
            if comment or named or annotation:
                yield Group("\n".join(comment), tuple(named), " ".join(annotation))
            comment, annotation, named = [], [], []
            if line.startswith("#"):
                comment.append(line[1:].removeprefix(" ").rstrip())


def read_defaults(path: Path) -> DefaultsFile:
    """Read a file of defaults."""
    groups = list(_groups_in(path.read_text(encoding="utf-8").splitlines()))
    intro = groups.pop(0) if groups and not groups[0].defaults else Group("", ())
    return DefaultsFile(path, intro.comment, intro.annotation, tuple(groups))
