"""Where things live in the project, found from this file, so that any working directory will do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
SCHEMAS = PROJECT / "playbooks" / "schemas"
TEMPLATES = PROJECT / "templates"
INVENTORIES = PROJECT / "inventories"
DEFAULTS = INVENTORIES / "group_vars" / "all"


@dataclass(frozen=True)
class Place:
    """Where an environment is.

    ``output`` and ``sources`` (the folder that has ``app/``) are folders of its host, which is ``remote`` unless it is
    this machine; ``reports`` is the one on this machine for what people read: verify.json, sbom/, edge-ca.crt.
    """

    output: Path
    sources: Path
    reports: Path
    remote: bool


def place_of(environment: str, output: str | Path, remote: bool) -> Place:
    """The place of an environment that is rendered into ``output``.

    Another host gets all that it needs into that one folder, the sources of its images too.
    """
    folder = Path(output)
    if remote:
        return Place(folder, folder, PROJECT / "generated" / environment, remote)
    return Place(folder, PROJECT, folder, remote)
