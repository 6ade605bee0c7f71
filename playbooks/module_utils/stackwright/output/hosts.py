"""The host of an environment as this machine sees it: this machine itself, or one that Ansible connects to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..images.sbom.packages import Package, SbomError, packages_of
from ..rendering.files import RenderedFile
from ..runtimes.compose.engine import Engine
from .apply import ApplyResult, apply_tree
from .remote_operations import OPERATIONS, pack, pack_files

Execute = Callable[[str, dict[str, Any]], dict[str, Any]]


class HostError(Exception):
    """The host gave no answer; the message names it and says why."""


def is_remote(variables: Mapping[str, Any]) -> bool:
    """Whether Ansible reaches a host over a connection, by its variables."""
    return str(variables.get("ansible_connection", "ssh")) != "local"


def address_of(variables: Mapping[str, Any]) -> str:
    """The name or address under which this machine reaches a host."""
    return str(variables.get("ansible_host") or variables["inventory_hostname"])


class Host:
    """This machine."""

    remote = False
    name = "this machine"

    def call(self, operation: str, **arguments: Any) -> Any:
        """The result of one of OPERATIONS."""
        return OPERATIONS[operation](**arguments)

    def engine(self) -> Engine:
        """The engine there."""
        return Engine(**self.call("engine"))

    def images_present(self, references: Sequence[str]) -> set[str]:
        """Which of the images its engine has."""
        return set(self.call("images", references=list(references)))

    def registry_answers(self, image: str, timeout_seconds: int) -> bool:
        """Whether a registry answers it."""
        return bool(self.call("registry", image=image, timeout_seconds=timeout_seconds))

    def rendered(self, root: Path) -> dict[str, Any]:
        """See remote_operations._rendered."""
        return dict(self.call("rendered", root=str(root)))

    def apply(
        self,
        root: Path,
        files: Mapping[str, RenderedFile],
        record: Mapping[str, Any],
        **options: Any,
    ) -> ApplyResult:
        """See apply.apply_tree."""
        return apply_tree(root, files, record, **options)

    def packages_of(self, reference: str) -> list[Package]:
        """The packages in an image of its engine. Raises sbom.packages.SbomError."""
        return packages_of(reference)


class RemoteHost(Host):
    """A host behind a connection.

    Args:
        name: how people know it.
        execute: runs a module there, given its name and arguments, and returns its result.
    """

    remote = True

    def __init__(self, name: str, execute: Execute) -> None:
        self.name = name
        self._execute = execute

    def call(self, operation: str, **arguments: Any) -> Any:
        """As Host's. Raises HostError or SbomError."""
        result = self._execute(
            "remote_operation", {"operation": operation, "arguments": pack(arguments)}
        )
        if result.get("failed"):
            if operation == "packages" and "output" in result:
                raise SbomError(arguments["reference"], str(result["output"]))
            said = result.get("msg") or result.get("module_stderr") or "no answer"
            raise HostError(f"{self.name}: {str(said).strip()}")
        return result["answer"]

    def apply(
        self,
        root: Path,
        files: Mapping[str, RenderedFile],
        record: Mapping[str, Any],
        **options: Any,
    ) -> ApplyResult:
        """See apply.apply_tree."""
        options["hidden"] = list(options.get("hidden", ()))
        return ApplyResult(
            **self.call(
                "apply", root=str(root), files=pack_files(files), record=dict(record), **options
            )
        )

    def packages_of(self, reference: str) -> list[Package]:
        """As Host's."""
        found = self.call("packages", reference=reference)
        return [Package(**{**package, "licences": tuple(package["licences"])}) for package in found]
