"""docs/settings.md, made of the schema and the commented defaults: ``python -m stackwright.settings.page``.

From playbooks/vars/settings.yml come meaning, unit and allowed form; from inventories/group_vars/all/*.yml the default
and, in the comment above it, the consequence. Where one of them is missing there is no page, but a list of what to add.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from .. import layout
from .comments import Default, DefaultsFile, Group, read_defaults
from .gaps import settings_gaps
from .schema import Setting, load_schema

PAGE = layout.PROJECT / "docs" / "settings.md"
HEAD = """\
<!-- Written by `make docs` from playbooks/vars/settings.yml and inventories/group_vars/all/. Edit those. -->
# Settings

All that can be set, file by file as the defaults are kept in `inventories/group_vars/all/`. What an environment has
otherwise goes into `inventories/group_vars/<environment>/main.yml`, what a single run has otherwise is given as
`-e name=value`. A default with `{{ … }}` follows the settings it names. Values that are not allowed here are refused
before anything is written.
"""
CODE = re.compile(r"(`[^`]*`)")
ITEM = re.compile(r"  (?P<term>\S+) {2,}(?P<text>.+)")
Links = Mapping[str, str]


class PageError(Exception):
    """Settings that are not documented in full: one line for each gap."""


def _link(name: str, links: Links) -> str:
    return f"[`{name}`](#{links[name]})"


def _prose(text: str, links: Links) -> str:
    """A paragraph as Markdown: names of settings lead to them, and what is no code is data."""
    parts = CODE.split(" ".join(text.split()))
    for index in range(0, len(parts), 2):  # the others are code
        data = re.sub(r"[*<\\[\]]", r"\\\g<0>", parts[index])
        parts[index] = re.sub(
            r"\w+", lambda word: _link(word[0], links) if word[0] in links else word[0], data
        )
    return "".join(parts)


def _comment(comment: str, links: Links) -> Iterator[str]:
    """A comment as Markdown: its paragraph, then its indented lines as a list of terms."""
    lines = comment.splitlines()
    yield _prose(" ".join(line for line in lines if not line.startswith("  ")), links)
    items: list[list[str]] = []
    for line in lines:
        if found := ITEM.fullmatch(line):
            items.append([found["term"], found["text"]])
        elif line.startswith("  ") and items:
            items[-1][1] += f" {line.strip()}"
    if items:
        yield ""
    for term, text in items:
        yield f"- `{term}`: {_prose(text, links)}"


def _default(default: Default, setting: Setting) -> str:
    if setting.secret:
        return f"from the vault, as `{setting.vault_variable}`"
    return "below" if "\n" in default.text else f"`{default.text}`"


def _facts(group: Group, schema: Mapping[str, Setting]) -> Iterator[str]:
    """Default, unit and allowed form: a line for one setting, a table for several."""
    rows = [
        (default.name, _default(default, schema[default.name]), schema[default.name])
        for default in group.defaults
    ]
    if len(rows) == 1:
        _, default, setting = rows[0]
        unit = f" · **Unit** {setting.unit}" if setting.unit else ""
        yield f"**Default** {default}{unit} · **Allowed** {setting.allowed}"
        return
    yield from ("| Setting | Meaning | Default | Unit | Allowed |", "|---|---|---|---|---|")
    for name, default, setting in rows:
        cells = [f"`{name}`", setting.meaning, default, setting.unit, setting.allowed]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _group(group: Group, schema: Mapping[str, Setting], links: Links) -> Iterator[str]:
    names = [default.name for default in group.defaults]
    yield from ("", f"### {', '.join(f'`{name}`' for name in names)}", "")
    elsewhere = {name: anchor for name, anchor in links.items() if name not in names}
    yield from (*_comment(group.comment, elsewhere), "", *_facts(group, schema))
    for default in group.defaults:
        if "\n" in default.text and not schema[default.name].secret:
            yield from ("", "```yaml", *default.text.splitlines(), "```")


def page(defaults: Path, schema: Mapping[str, Setting]) -> str:
    """The whole page, for a folder of commented defaults. Raises PageError where something is missing."""
    sections = list(dict.fromkeys(setting.section for setting in schema.values()))
    files = [read_defaults(path) for path in sorted(defaults.glob("*.yml"))]
    gaps = settings_gaps(files, schema)
    if gaps:
        raise PageError("\n".join(gaps))
    files.sort(key=lambda file: sections.index(file.path.stem))
    links = {
        default.name: "-".join(
            other.name.lower() for other in group.defaults
        )  # as headings are named
        for file in files
        for group in file.groups
        for default in group.defaults
    }
    return "\n".join([HEAD, *_contents(files, links), *_sections(files, schema, links), ""])


def _contents(files: list[DefaultsFile], links: Links) -> Iterator[str]:
    for file in files:
        names = [default.name for group in file.groups for default in group.defaults]
        title = f"[{file.path.stem}](#{file.path.stem})"
        yield f"- {title}: {', '.join(_link(name, links) for name in names)}"


def _sections(
    files: list[DefaultsFile], schema: Mapping[str, Setting], links: Links
) -> Iterator[str]:
    for file in files:
        yield from ("", f"## {file.path.stem}", "", *_comment(file.intro, links))
        for group in file.groups:
            yield from _group(group, schema, links)


def main() -> int:
    """Write the page; 1 with the list of what is missing where it would not be complete."""
    schema = load_schema(layout.SCHEMA_FILE)
    try:
        text = page(layout.DEFAULTS, schema)
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE.relative_to(layout.PROJECT)}: {len(schema)} settings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
