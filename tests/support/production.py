"""The environment prod as it is shipped, with secrets of the tests' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.project import ROOT, encrypted, good_vault, inventory_of
from tests.support.resolving import look


def prod_values(folder: Path) -> dict[str, Any]:
    """The settings of inventories/group_vars/prod, resolved in ``folder``, which is empty yet."""
    shipped = ROOT / "inventories/group_vars"
    (folder / "group_vars/prod").mkdir(parents=True)
    (folder / "group_vars/all").symlink_to(shipped / "all")
    (folder / "group_vars/prod/main.yml").symlink_to(shipped / "prod/main.yml")
    (folder / "group_vars/prod/vault.yml").write_text(encrypted(good_vault()), encoding="utf-8")
    (folder / "prod.yml").write_text(inventory_of(["prod"]), encoding="utf-8")
    seen = look(folder / "prod.yml")["prod"]
    assert seen.problems == [], seen.problems
    return seen.values
