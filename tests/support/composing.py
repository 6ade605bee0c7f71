"""What Compose itself makes of rendered files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright.rendering.compose_file import compose_command
from stackwright.rendering.files import RenderedFile
from stackwright.rendering.prepare import prepare

CHOICES = {"runtime": "compose", "base_images": "registry"}


def rendered(values: Mapping[str, Any]) -> dict[str, RenderedFile]:
    """All files of an environment, in memory."""
    return prepare(values, CHOICES).files


def config(files: Mapping[str, RenderedFile], folder: Path) -> dict[str, Any]:
    """The project as ``docker compose config`` understands it, with interpolation undone (``$$`` is one ``$``)."""
    for path, file in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
    done = subprocess.run(
        [*compose_command(), "--project-directory", str(folder), "-f", str(folder / "docker-compose.yml"),
         "config", "--format", "json"],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    understood = _single_dollars(json.loads(done.stdout))
    assert isinstance(understood, dict)
    return understood


def _single_dollars(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _single_dollars(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_single_dollars(item) for item in node]
    return node.replace("$$", "$") if isinstance(node, str) else node


def shape(node: Any) -> Any:
    """The keys at every level, without the values."""
    if isinstance(node, dict):
        return {key: shape(value) for key, value in node.items()}
    if isinstance(node, list):
        return [shape(item) for item in node]
    return type(node).__name__
