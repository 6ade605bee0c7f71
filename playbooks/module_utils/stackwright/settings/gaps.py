"""What is missing where settings are documented: a comment, a consequence, a schema entry or a default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .comments import Default, DefaultsFile, Group, first_sentence
from .schema import Setting


def _gap(default: Default, group: Group, section: str, setting: Setting | None) -> str:
    """What the documentation of one default lacks, or nothing."""
    comment = " ".join(group.comment.split())
    meaning = first_sentence(group.comment)
    if setting is None:
        return "has no entry in playbooks/vars/settings.yml"
    if setting.section != section:
        return f"is in the section {setting.section} of playbooks/vars/settings.yml"
    if not comment:
        return "has no comment right above it"
    if len(group.defaults) == 1 and meaning != setting.meaning:
        return f"has a comment that does not begin with its meaning: {setting.meaning}"
    if meaning == comment:
        return "has a comment without a consequence after its first sentence"
    return ""


def _gaps_in(file: DefaultsFile, schema: Mapping[str, Setting]) -> Iterator[str]:
    if not file.intro:
        yield f"{file.path.name}: says nothing about itself at its top"
    for group in file.groups:
        if not group.defaults:
            line = group.comment.splitlines()[0]
            yield f"{file.path.name}: no setting follows the comment: {line}"
        for default in group.defaults:
            gap = _gap(default, group, file.path.stem, schema.get(default.name))
            if gap:
                yield f"{file.path.name}:{default.line}: {default.name} {gap}"


def settings_gaps(files: Sequence[DefaultsFile], schema: Mapping[str, Setting]) -> list[str]:
    """Everything that is missing for a complete documentation, one line each: file, line, setting, what to add."""
    gaps = [gap for file in files for gap in _gaps_in(file, schema)]
    named = {default.name for file in files for group in file.groups for default in group.defaults}
    return gaps + [
        f"{setting.section}.yml: {name} of playbooks/vars/settings.yml has no default"
        for name, setting in schema.items()
        if name not in named
    ]
