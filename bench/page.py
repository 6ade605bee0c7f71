"""``docs/benchmarks.md``: one section per benchmark, each replaced by its own run, the others kept.

Tables have two forms: columns for a terminal, Markdown for the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.support.project import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
TITLE = "# Benchmarks"
MAIN_JOB = "The main job"
API = "The API"
ORDER = (MAIN_JOB, API)

Row = Sequence[str]

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def replaced(page: str, heading: str, body: str) -> str:
    """The text of `page` with the section under `heading` being `body`, added if there was none.

    Sections are those of ORDER, in that order; others follow as they were.
    """
    parts = _HEADING.split(page)[1:]
    sections = dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
    sections[heading] = body.strip()
    names = [name for name in ORDER if name in sections]
    names += [name for name in sections if name not in ORDER]
    return "\n\n".join([TITLE, *(f"## {name}\n\n{sections[name]}" for name in names)]) + "\n"


def write(heading: str, body: str, page: Path = PAGE) -> None:
    """Replace one section of the file, which need not exist yet."""
    page.parent.mkdir(exist_ok=True)
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    page.write_text(replaced(old, heading, body), encoding="utf-8")


def columns(rows: Sequence[Row]) -> list[str]:
    """Lines of aligned columns; the first row is the header, and gets a rule below."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return lines


def markdown(rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table; the first row is the header."""
    ruled = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return ["| " + " | ".join(row) + " |" for row in ruled]
