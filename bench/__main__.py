"""``python -m bench [--rounds N] [--only PART …] [--write]``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import page, rendering, runtimes
from bench.report import Report, control_versions, machine

PARTS: dict[str, Callable[[Path, int, Report], None]] = {
    "rendering": rendering.measure,
    "embedded": runtimes.measure_embedded,
    "compose": runtimes.measure_compose,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="measurements of everything (default 3)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure"
    )
    parser.add_argument(
        "--write", action="store_true", help="write the section of docs/benchmarks.md too"
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds needs at least 1")
    return options


def main() -> None:
    """Measure the parts asked for, one after the other, and print the table."""
    options = _options()
    report = Report(machine(*control_versions()), options.rounds)
    with tempfile.TemporaryDirectory(prefix="stackwright-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, the embedded runtime's unprivileged user must get through
        for part in options.only:
            PARTS[part](folder / part, options.rounds, report)
    print(report.text())
    if options.write:
        page.write(page.MAIN_JOB, report.section())


if __name__ == "__main__":
    main()
