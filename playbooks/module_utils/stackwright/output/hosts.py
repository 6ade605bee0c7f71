"""The host of an environment as this machine sees it: this machine itself, or one that Ansible connects to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..images.sbom.package import Package
from ..images.sbom.reading import BillError, packages_of
from ..rendering.rendered_file import RenderedFile
from ..runtimes.compose.engine import Engine
from .apply import Settled, settle, to_wire
from .remote_operations import QUESTIONS
from .serialization import pack

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

    def ask(self, question: str, **arguments: Any) -> Any:
        """The answer to one of host_side.QUESTIONS."""
        return QUESTIONS[question](**arguments)

    def engine(self) -> Engine:
        """The engine there."""
        return Engine(**self.ask("engine"))

    def images_present(self, references: Sequence[str]) -> set[str]:
        """Which of the images its engine has."""
        return set(self.ask("images", references=list(references)))

    def registry_answers(self, image: str, timeout_seconds: int) -> bool:
        """Whether a registry answers it."""
        return bool(self.ask("registry", image=image, timeout_seconds=timeout_seconds))

    def rendered(self, root: Path) -> dict[str, Any]:
        """See host_side."""
        return dict(self.ask("rendered", root=str(root)))

    def settle(
        self,
        root: Path,
        files: Mapping[str, RenderedFile],
        record: Mapping[str, Any],
        **options: Any,
    ) -> Settled:
        """See settling.settle."""
        return settle(root, files, record, **options)

    def packages_of(self, reference: str) -> list[Package]:
        """The packages in an image of its engine. Raises bills.reading.BillError."""
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

    def ask(self, question: str, **arguments: Any) -> Any:
        """As Host's. Raises HostError or BillError."""
        result = self._execute("ask_host", {"question": question, "arguments": pack(arguments)})
        if result.get("failed"):
            if question == "packages" and "output" in result:
                raise BillError(arguments["reference"], str(result["output"]))
            said = result.get("msg") or result.get("module_stderr") or "no answer"
            raise HostError(f"{self.name}: {str(said).strip()}")
        return result["answer"]

    def settle(
        self,
        root: Path,
        files: Mapping[str, RenderedFile],
        record: Mapping[str, Any],
        **options: Any,
    ) -> Settled:
        """See settling.settle."""
        wire = to_wire(files)
        options["hidden"] = list(options.get("hidden", ()))
        return Settled(
            **self.ask("settle", root=str(root), files=wire, record=dict(record), **options)
        )

    def packages_of(self, reference: str) -> list[Package]:
        """As Host's."""
        found = self.ask("packages", reference=reference)
        return [Package(**{**package, "licences": tuple(package["licences"])}) for package in found]
