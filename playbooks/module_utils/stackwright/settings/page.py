"""docs/settings.md, made of the records in inventories/group_vars/all: ``python -m stackwright.settings.page``.

Where one of them says too little there is no page, but a list of what to add.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from .. import layout
from .defaults import Default, DefaultsFile, Group, first_sentence
from .problems import Problem
from .schema import Setting, read_folder

PAGE = layout.PROJECT / "docs" / "settings.md"
HEAD = """\
<!-- Written by `make docs` from inventories/group_vars/all/. Edit that. -->
# Settings

All that can be set, file by file as the defaults are kept in `inventories/group_vars/all/`. What an environment has
otherwise goes into `inventories/group_vars/<environment>/main.yml`, what a single run has otherwise is given as
`-e name=value`. A default with `{{ … }}` follows the settings it names. Values that are not allowed here are refused
before anything is written.
"""
CODE = re.compile(r"(`[^`]*`)")
ITEM = re.compile(r"  (?P<term>\S+) {2,}(?P<text>.+)")
Links = Mapping[str, str]
Schema = Mapping[str, Setting]
Texts = Mapping[str, str]


class PageError(Exception):
    """Settings that are not documented in full: place, setting and reason of each gap, and what to add."""


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


def _texts(path: Path) -> dict[str, str]:
    """Each default of a file as written, a text that is not empty without its quotes."""
    content = path.read_text(encoding="utf-8")
    root = yaml.compose(content, Loader=yaml.SafeLoader)  # the C loader gives no positions in text

    def text_of(node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode) and node.value:
            return str(node.value)
        lines = content[node.start_mark.index : node.end_mark.index].rstrip().splitlines()
        indent = " " * node.start_mark.column
        return "\n".join(line.removeprefix(indent) for line in lines)

    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return {str(key.value): text_of(value) for key, value in pairs}


def _default(text: str, setting: Setting) -> str:
    if setting.secret:
        return f"from the vault, as `{setting.vault_variable}`"
    return "below" if "\n" in text else f"`{text}`"


def _facts(group: Group, schema: Schema, texts: Texts) -> Iterator[str]:
    """Default, unit and allowed form: a line for one setting, a table for several."""
    rows = [
        (one.name, _default(texts[one.name], schema[one.name]), schema[one.name])
        for one in group.defaults
    ]
    if len(rows) == 1:
        _, default, setting = rows[0]
        unit = f" · **Unit** {setting.unit}" if setting.unit else ""
        yield f"**Default** {default}{unit} · **Allowed** {setting.allowed}"
        return
    yield from ("| Setting | Default | Unit | Allowed |", "|---|---|---|---|")
    for name, default, setting in rows:
        cells = [f"`{name}`", default, setting.unit, setting.allowed]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _group(group: Group, schema: Schema, links: Links, texts: Texts) -> Iterator[str]:
    names = [default.name for default in group.defaults]
    yield from ("", f"### {', '.join(f'`{name}`' for name in names)}", "")
    elsewhere = {name: anchor for name, anchor in links.items() if name not in names}
    yield from (*_comment(group.comment, elsewhere), "", *_facts(group, schema, texts))
    for name in names:
        if "\n" in texts[name] and not schema[name].secret:
            yield from ("", "```yaml", *texts[name].splitlines(), "```")


def _gap(default: Default, group: Group) -> tuple[str, str] | None:
    """What the comment above a default lacks, and what to do about it."""
    comment = " ".join(group.comment.split())
    if not comment:
        return "has no comment right above it", "say what it means and what follows from it"
    if first_sentence(comment) == comment:
        fix = "say after its first sentence what follows from it"
        return "has a comment without a consequence", fix
    return None


def _gaps_in(file: DefaultsFile) -> Iterator[Problem]:
    if not file.intro:
        fix = "begin it with a comment about the whole, then an empty line"
        yield Problem("the file", "says nothing about itself", fix, file.path.name)
    for group in file.groups:
        if not group.defaults:
            comment = group.comment.partition("\n")[0]
            fix = "remove the empty line below it, or the comment"
            yield Problem("a comment", f"is about no setting: {comment}", fix, file.path.name)
        for default in group.defaults:
            if gap := _gap(default, group):
                yield Problem(default.name, *gap, file.where(default))


def page(folder: Path) -> str:
    """The whole page, for a folder of commented defaults. Raises PageError where something is missing."""
    found = read_folder(folder)
    gaps = [*found.problems, *(gap for file in found.files for gap in _gaps_in(file))]
    if gaps:
        lines = [f"{gap.where}: {gap.setting} {gap.reason}; {gap.fix}" for gap in gaps]
        raise PageError("\n".join(lines))
    links = {
        default.name: "-".join(
            other.name.lower() for other in group.defaults
        )  # as headings are named
        for file in found.files
        for group in file.groups
        for default in group.defaults
    }
    parts = _sections(found.files, found.settings, links)
    return "\n".join([HEAD, *_contents(found.files, links), *parts, ""])


def _contents(files: Sequence[DefaultsFile], links: Links) -> Iterator[str]:
    for file in files:
        names = [default.name for group in file.groups for default in group.defaults]
        title = f"[{file.path.stem}](#{file.path.stem})"
        yield f"- {title}: {', '.join(_link(name, links) for name in names)}"


def _sections(files: Sequence[DefaultsFile], schema: Schema, links: Links) -> Iterator[str]:
    for file in files:
        yield from ("", f"## {file.path.stem}", "", *_comment(file.intro, links))
        texts = _texts(file.path)
        for group in file.groups:
            yield from _group(group, schema, links, texts)


def main() -> int:
    """Write the page; 1 with the list of what is missing where it would not be complete."""
    try:
        text = page(layout.DEFAULTS)
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    print(
        f"{PAGE.relative_to(layout.PROJECT)}: {len(read_folder(layout.DEFAULTS).settings)} settings"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
