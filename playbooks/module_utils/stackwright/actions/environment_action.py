"""What the action plugins share: settings and host of the environment, and failures said as texts for people."""

from __future__ import annotations

import getpass
import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from .. import layout
from ..output.hosts import Host, HostError, RemoteHost, address_of, is_remote
from ..output.manifest import TreeError
from ..output.run_lock import THIS_RUN, Holder, RunLockError
from ..rendering.compose_file import ComposeFileError
from ..rendering.templates import RenderError
from ..runtimes.compose.engine import SilentEngineError
from ..runtimes.embedded.folder import EmbeddedError
from ..runtimes.embedded.processes import UnprivilegedError
from ..secrets.masking import Masker
from ..settings.problems import Problem, RefusedError
from ..settings.resolve import Resolution, look_at_environment, made_of
from ..settings.schema import Setting, load_schema
from .run_memory import MEMORY

CONNECTION_VARIABLES = (
    "inventory_hostname", "ansible_host", "ansible_port", "ansible_connection",
)  # fmt: skip
SSH_PORT = 22
EXPECTED_ERRORS = (
    RenderError,
    UnprivilegedError,
    ComposeFileError,
    EmbeddedError,
    RunLockError,
    TreeError,
    SilentEngineError,
)


def _this_run() -> Holder:
    """This run as people know it, its variables left out."""
    given = context.CLIARGS
    inventories = [
        str(source).removeprefix(f"{layout.PROJECT}/") for source in given.get("inventory") or ()
    ]
    words = [word for source in inventories for word in ("-i", source)]
    command = " ".join(["ansible-playbook", *words, *given.get("args", ())])
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in some containers
        user = f"user {os.geteuid()}"
    return Holder(THIS_RUN.pid, user, command, THIS_RUN.since)


class EnvironmentAction(ActionBase):  # type: ignore[misc]
    """An action on one environment, on the controller; ``host`` does what has to be done there.

    A plugin fills in ``act``.
    """

    _supports_check_mode = True
    _hidden: tuple[str, ...] = ()  # texts that are never shown
    _environment = ""
    _schema: dict[str, Setting] | None = None
    _variables: Mapping[str, Any]
    _connection_variables: Mapping[str, Any]

    @abstractmethod
    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Do the work with the host's variables and return the result.

        May raise RefusedError or one of EXPECTED_ERRORS: they fail the task, with everything secret masked.
        """

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """As Ansible calls it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        self._connection_variables = {
            name: self._templar.template(value)
            for name, value in self._variables.items()
            if name in CONNECTION_VARIABLES
        }
        try:
            return result | self.act(task_vars or {})
        except RefusedError as refused:
            message = str(refused)
        except HostError as error:
            message = f"environment {self._environment}: {error}"
        except EXPECTED_ERRORS as error:
            message = f"environment {self._environment}: nothing was written\n  - {error}"
        except OSError as error:
            message = f"environment {self._environment}: {error.filename}: {error.strerror}"
        return result | {"failed": True, "msg": Masker(self._hidden).text(message)}

    def lock_environments(self) -> None:
        """Let no other run work on this play's environments until this one ends. Raises RunLockError.

        Check mode, which changes nothing, waits for nobody.
        """
        if self._task.check_mode:
            return
        hosts = set(self._variables["ansible_play_hosts_all"])
        groups = self._variables["groups"].items()
        environments = [
            name
            for name, members in groups
            if name not in ("all", "ungrouped") and hosts.intersection(members)
        ]
        say = Display().display
        THIS_RUN.take(environments, _this_run(), lambda line: say(f"  {line}", stderr=True))

    @property
    def host(self) -> Host:
        """The host of the environment: this machine, or one behind the connection of this task."""
        if not is_remote(self._connection_variables):
            return Host()
        name, address = str(self._connection_variables["inventory_hostname"]), self.address
        return RemoteHost(name if name == address else f"{name} ({address})", self.module)

    @property
    def address(self) -> str:
        """The name or address of the host, as far as this machine is concerned."""
        return address_of(self._connection_variables)

    @property
    def ssh_port(self) -> int:
        """Where the host's SSH server listens."""
        return int(self._connection_variables.get("ansible_port") or SSH_PORT)

    def module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The result of a module that runs on the host."""
        return dict(
            self._execute_module(
                module_name=name, module_args=arguments, task_vars=dict(self._variables)
            )
        )

    def flag(self, name: str, default: bool = False) -> bool:
        """An argument that is yes or no; from -e it comes as text."""
        return bool(boolean(self._task.args.get(name, default), strict=False))

    def refuse_remote(self, setting: str, what: str, fix: str) -> None:
        """Refuse an action that works on this machine only. Raises RefusedError for another host."""
        if self.host.remote:
            reason = f"{what} works on this machine only, and {self.host.name} is another one"
            where = str(self._variables.get("inventory_file") or "the inventory")
            raise RefusedError(self._environment, [Problem(setting, reason, fix, where)])

    @property
    def schema(self) -> dict[str, Setting]:
        """Every setting by name; once ``settings`` were read, with the members of mappings of secrets, too."""
        return self._schema or load_schema(layout.DEFAULTS)

    def look(self, variables: Mapping[str, Any], templar: Templar, extra: set[str]) -> Resolution:
        """See look_at_environment. The same is worked out once a run, whichever tasks ask for it."""
        origin = made_of(variables, extra)
        found: Resolution | None = MEMORY.recall(origin)
        if not found:
            found = look_at_environment(variables, templar, extra)
            MEMORY.keep(origin, found)
        return found

    @property
    def extra_variables(self) -> set[str]:
        """The names given with -e."""
        return set(load_extra_vars(self._loader)) if context.CLIARGS.get("extra_vars") else set()

    def settings(self, variables: Mapping[str, Any], secrets: bool = True) -> dict[str, Any]:
        """All settings as plain data, validated; see Resolution.check. Raises RefusedError."""
        found = self.look(variables, self._templar, self.extra_variables)
        self._environment = found.environment
        found.check(secrets)
        self._schema = found.schema
        hidden = [
            found.values[name]
            for name, setting in found.schema.items()
            if not setting.printable and name in found.values
        ]
        self._hidden = tuple(
            text
            for value in hidden
            for text in (value.values() if isinstance(value, Mapping) else [value])
            if text
        )
        return found.values
