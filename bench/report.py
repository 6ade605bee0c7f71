"""What was measured, as a table: medians with their range, and the aim beside them."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from stackwright.runtimes.compose.engine import probe_engine

from bench.page import columns, markdown

HEADER = ("what", "median", "min - max", "runs", "aim", "")
METHOD = """\
`make bench` measures wall-clock seconds of whole `ansible-playbook` calls, as a user waits for them. Cold start:
nothing runs, there are no data, images are built; `site.yml` ends verified. No-op: `site.yml` again, which must report
changed=0.
Bare Compose is `docker compose up --detach --wait` in the same rendered folder, in turn with ours; it neither checks
settings nor renders nor verifies. Aims are for two cores and decide nothing."""


@dataclass(frozen=True)
class Figure:
    """One row: ``values`` of all runs in ``unit`` (s, s each, or x for a ratio), ``aim`` the most they should be."""

    what: str
    values: Sequence[float]
    aim: float | None = None
    unit: str = "s"

    @property
    def median(self) -> float:
        """The middle of all runs."""
        return statistics.median(self.values)

    def row(self) -> tuple[str, ...]:
        """The cells of the table."""
        digits = 3 if self.unit == "s each" else 2
        low, high = (f"{bound:.{digits}f}" for bound in (min(self.values), max(self.values)))
        spread = f"{low} - {high}" if len(self.values) > 1 else ""
        aim = "" if self.aim is None else f"<= {self.aim:g} {self.unit}"
        verdict = "" if self.aim is None else ("met" if self.median <= self.aim else "missed")
        return (
            self.what,
            f"{self.median:.{digits}f} {self.unit}",
            spread,
            str(len(self.values)),
            aim,
            verdict,
        )


def ratio(what: str, ours: Figure, bare: Figure) -> Figure:
    """How many times longer ours takes, by medians."""
    return Figure(what, [ours.median / bare.median], unit="x")


def machine(*versions: str) -> str:
    """Date, cores, load and ``versions``, in one line."""
    parts = [
        datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} at the start",
        f"Python {platform.python_version()}",
    ]
    return "; ".join([*parts, *versions])


def control_versions() -> list[str]:
    """What runs the main job: ansible-core, and the engine or why there is none."""
    engine = probe_engine()
    usable = f"Docker Engine {engine.version}, Compose {engine.compose_version}"
    return [f"ansible-core {version('ansible-core')}", usable if engine.usable else engine.reason]


@dataclass
class Report:
    """The figures in the order measured, and ``notes``: lines that are no figures."""

    machine: str
    rounds: int
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *figures: Figure) -> None:
        """Add rows, and show each at once to who waits."""
        for figure in figures:
            self.figures.append(figure)
            print("  ".join(cell for cell in figure.row() if cell), flush=True)

    def note(self, line: str) -> None:
        """Add a line below the table."""
        self.notes.append(line)
        print(line, flush=True)

    def text(self) -> str:
        """The table in columns, for a terminal."""
        lines = columns(self._rows())
        return "\n".join(["", self.machine, "", *lines, "", *self.notes])

    def section(self) -> str:
        """The table in Markdown, with how it was measured."""
        notes = [f"- {note}" for note in self.notes]
        table = markdown(self._rows())
        return "\n".join([METHOD, "", self.machine + ".", "", *table, "", *notes]).rstrip()

    def _rows(self) -> list[tuple[str, ...]]:
        return [HEADER, *(figure.row() for figure in self.figures)]
