"""Which runtimes an environment is running in at this moment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SUPERVISOR_PID = "embedded/run/supervisord.pid"
ANSWER_SECONDS = 2.0


def embedded_runs(output_dir: Path) -> bool:
    """Whether the environment's supervisord lives; a pid file left by a power cut does not count."""
    try:
        pid = int((output_dir / SUPERVISOR_PID).read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return False
    return any(word.endswith(b"supervisord") for word in words) and os.fsencode(
        output_dir
    ) in b" ".join(words)


def compose_runs(project: str) -> bool:
    """Whether any container of the Compose project runs; False where no engine answers within 2 s."""
    if shutil.which("docker") is None:
        return False
    label = f"label=com.docker.compose.project={project}"
    try:
        done = subprocess.run(
            ["docker", "ps", "--quiet", "--filter", label],
            capture_output=True, timeout=ANSWER_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


def running_runtimes(output_dir: Path, project: str) -> list[str]:
    """Names of the runtimes in which the environment runs now."""
    checks = {"embedded": embedded_runs(output_dir), "compose": compose_runs(project)}
    return [name for name, runs in checks.items() if runs]
