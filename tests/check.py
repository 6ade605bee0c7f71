"""`make check`: every formatter, linter and type checker, the vaults, and the fast tests; all of them, whatever fails.

Two run at a time, the longest first. Each is told when it ends, with what it said if it failed; the last line sums up.
Names as arguments choose some: ``python -m tests.check yamllint mypy``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.support.vaults import plain_vaults

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
AT_ONCE = 2


def _run(*command: str) -> str:
    """Empty, or what a command that failed has said."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout.strip() or f"exit code {done.returncode}"


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def _vaults() -> str:
    return "\n".join(
        f"{path}: is plain text, and is committed like every other file\n"
        f"    fix  {BIN.relative_to(ROOT)}/ansible-vault encrypt {path}"
        for path in plain_vaults(ROOT)
    )


CHECKS: dict[str, Callable[[], str]] = {
    "pytest": lambda: _run("pytest", "-q", "-m", "not slow and not docker", "tests/unit"),
    "ansible-lint": lambda: _run("ansible-lint", "--offline", "-q", "site.yml", "playbooks"),
    "mypy": lambda: _run("mypy"),
    "ruff": lambda: _run("ruff", "check", "."),
    "ruff-format": lambda: _run("ruff", "format", "--check", "."),
    "yamllint": lambda: _run("yamllint", "--strict", "."),
    "hadolint": lambda: _run("hadolint", *_git("ls-files", "*Dockerfile")),
    "shellcheck": lambda: _run("shellcheck", *_git("grep", "-lE", "^#!/bin/(ba)?sh")),
    "vaults": _vaults,
}


def _timed(name: str) -> tuple[str, str, float]:
    begin = time.monotonic()
    return name, CHECKS[name](), time.monotonic() - begin


def main(wanted: list[str]) -> int:
    """Run those that are wanted, or all. Returns the exit code."""
    unknown = [name for name in wanted if name not in CHECKS]
    if unknown:
        print(f"there is no check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
        return 2
    names, failed = wanted or list(CHECKS), []
    print(f"checking with {', '.join(names)}; about a minute for all", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in as_completed([pool.submit(_timed, name) for name in names]):
            name, said, seconds = future.result()
            print(f"{'FAILED' if said else 'ok':6} {name:<12} {seconds:5.1f} s", flush=True)
            if said:
                failed.append(name)
                print("\n".join(f"       {line}" for line in said.splitlines()), flush=True)
    if failed:
        print(f"{len(failed)} of {len(names)} checks failed: {', '.join(sorted(failed))}")
    else:
        print(f"all {len(names)} checks passed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
