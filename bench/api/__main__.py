"""``python -m bench.api [--rounds N] [--seconds N] [--connections N …] [--only NAME …] [--write]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import page
from bench.api import limits, processes, section, stage, wrk
from bench.api.measuring import Bench
from bench.api.results import Plan
from bench.api.variants import LIMITS, PEERS_BIN, VARIANTS
from bench.api.workloads import WORKLOADS
from bench.report import machine

_LOOK_SECONDS = 2.0
_MOST_BUSY = 0.1
SERVERS = (*VARIANTS, *LIMITS, limits.REDIS)
NEEDED = "the API benchmark needs {what}: {how}"


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _options() -> argparse.Namespace:
    names = f"workloads: {', '.join(WORKLOADS)}; servers: {', '.join(SERVERS)}"
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--rounds", type=_count, default=3, help="runs of everything (default 3)")
    parser.add_argument("--seconds", type=_count, default=4, help="length of a run (default 4)")
    parser.add_argument(
        "--connections", type=_count, nargs="+", default=[1, 16, 64], help="(default 1 16 64)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*WORKLOADS, *SERVERS],
        default=[],
        metavar="NAME",
        help=f"measure only these; naming no server, or no workload, means all of them. {names}",
    )
    parser.add_argument(
        "--write", action="store_true", help="write the section of docs/benchmarks.md too"
    )
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    workloads = [name for name in WORKLOADS if name in options.only] or [*WORKLOADS]
    servers = [name for name in SERVERS if name in options.only] or [*SERVERS]
    if not wrk.installed():
        sys.exit(NEEDED.format(what="wrk", how="apt-get install wrk"))
    if not PEERS_BIN.exists():
        sys.exit(NEEDED.format(what=".venv-bench", how="make bench-api makes it"))
    if not stage.has_fast_clock() and any(WORKLOADS[name].expired for name in workloads):
        _leave_out("lists from the database", "faketime", "faketime")
        workloads = [name for name in workloads if not WORKLOADS[name].expired]
    if not limits.has_redis_benchmark() and limits.REDIS in servers:
        _leave_out(limits.REDIS, limits.REDIS, "redis-tools")
        servers.remove(limits.REDIS)
    if not workloads or not {*servers} & VARIANTS.keys():
        sys.exit("nothing is left to measure")
    return Plan(workloads, servers, options.connections, options.rounds, options.seconds)


def _leave_out(what: str, program: str, package: str) -> None:
    print(f"{what}: not measured, there is no {program} (apt-get install {package})", flush=True)


def _others() -> str:
    """What else the machine does. Says so at once if it is too much for figures that mean anything."""
    share = processes.busy_share(_LOOK_SECONDS)
    if share > _MOST_BUSY:
        print(f"Other work takes {share:.0%} of the processors: expect no figures that mean much.")
    return f"other work took {share:.0%} of the processors before"


def _wrk_version() -> str:
    # It shows its version together with its usage, and exits with 1.
    shown = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return " ".join(shown.split()[:2])


def main() -> None:
    """Measure what was asked for, and print the tables."""
    options = _options()
    plan = _plan(options)
    with tempfile.TemporaryDirectory(prefix="stackwright-bench-api-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL refuses root and runs as nobody, who must get through
        servers = stage.Stage(folder / "stage")
        try:
            servers.start()
            line = machine(*servers.versions(), _wrk_version(), _others())
            results = Bench(servers, plan, folder).run()
            line = f"{line} and {processes.busy_share(_LOOK_SECONDS):.0%} after"
        except wrk.BrokenLoadError as error:
            sys.exit(f"The benchmark is void. {error}")
        finally:
            servers.stop()
    print(section.text(results, plan, line))
    if options.write:
        page.write(page.API, section.markdown(results, plan, line))


if __name__ == "__main__":
    main()
