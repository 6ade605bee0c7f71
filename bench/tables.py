"""One table, two forms: columns for a terminal, Markdown for the page."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


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
