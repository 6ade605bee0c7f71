"""The vaults below inventories/ are committed, so they must be encrypted."""

from __future__ import annotations

from pathlib import Path

HEADER = b"$ANSIBLE_VAULT;"


def plain_vaults(root: Path) -> list[Path]:
    """Those that are not, relative to the project's folder ``root``. An empty file hides nothing."""
    found = sorted((root / "inventories").rglob("vault.y*ml"))
    contents = {path.relative_to(root): path.read_bytes() for path in found}
    return [path for path, text in contents.items() if text.strip() and not text.startswith(HEADER)]
