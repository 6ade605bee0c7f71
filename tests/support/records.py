"""Settings from the text of a file of commented defaults."""

from __future__ import annotations

import tempfile
from pathlib import Path

from stackwright.settings.schema import Setting, load_schema


def settings_in(text: str) -> dict[str, Setting]:
    """The settings that a file shop.yml with this text describes, by name."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "shop.yml").write_text(text, encoding="utf-8")
        return load_schema(Path(folder))
