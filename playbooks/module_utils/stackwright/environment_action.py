"""What the action plugins share: the settings of the host's environment, and failures said as texts for people."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from . import layout
from .compose_check import ComposeFileError
from .embedded.errors import EmbeddedError
from .problems import RefusedError
from .rendering import RenderError
from .resolve import resolve_environment
from .schema import Setting, load_schema
from .unprivileged import UnprivilegedError

TROUBLES = (RenderError, UnprivilegedError, ComposeFileError, EmbeddedError)


class EnvironmentAction(ActionBase):  # type: ignore[misc]
    """An action on one environment, on the controller. A plugin fills in ``act``."""

    _requires_connection = False
    _supports_check_mode = True
    _hidden: tuple[str, ...] = ()
    _environment = ""
    _schema: dict[str, Setting] | None = None

    @abstractmethod
    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Do the work with the host's variables and return the result.

        May raise RefusedError or one of TROUBLES: they fail the task, with everything secret masked.
        """

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """As Ansible calls it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            return result | self.act(task_vars or {})
        except RefusedError as refused:
            message = str(refused)
        except TROUBLES as trouble:
            message = f"environment {self._environment}: nothing was written\n  - {trouble}"
        for text in self._hidden:
            message = message.replace(text, "********")
        return result | {"failed": True, "msg": message}

    @property
    def schema(self) -> dict[str, Setting]:
        """Every setting by name; once ``settings`` were read, with the members of families in place of those."""
        return self._schema or load_schema(layout.SCHEMA_FILE)

    def settings(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """All settings as plain data, validated. Raises RefusedError."""
        found = resolve_environment(variables, self._templar, self._loader)
        self._environment = found.environment
        self._schema = found.schema
        hidden = (
            found.values[name] for name, setting in found.schema.items() if not setting.printable
        )
        self._hidden = tuple(text for text in hidden if text)
        return found.values
