"""Action plugin ``verify_environment``: the module of that name on the host, then a look from outside, and the report.

Arguments: ``stack``, the fact ``_stack``, and ``seed_tasks``, those that the schema brings with it.
The look goes to the setting ``stack_outside_address``. Empty means the address of the host, for this machine its own
that is not loopback; ``none`` to look nowhere. The report is verify.json in the folder for reports; edge-ca.crt beside
it, where there is one, is whom clients have to trust.
Returns what the module does, with the proof ``outside`` added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackwright.actions.environment_action import EnvironmentAction
from stackwright.output.write import make_folder, replace_file
from stackwright.secrets.masking import Masker
from stackwright.settings.resolve import plain
from stackwright.verification.external_check import (
    NAME,
    check,
    check_ports,
    looked_up,
    own_address,
    ports_of,
)
from stackwright.verification.report import Finding, as_file
from stackwright.verification.target import Target, target_of


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Prove there, look from here, write here."""
        stack = plain(self._task.args["stack"])
        target = target_of(stack, plain(self._task.args["seed_tasks"]))
        self.settings(variables)  # the texts to hide
        arguments = {"target": asdict(target), "secrets": list(self._hidden)}
        done = self.module("verify_environment", arguments)
        if "report" not in done:  # check mode, or a module that could not work at all
            return done
        outside = stack["settings"]["stack_outside_address"]
        if not done.get("failed") and outside != "none":
            self._add_look(done, target, outside)
        reports = Path(stack["report_dir"])
        try:
            make_folder(reports)
            replace_file(reports / "verify.json", as_file(done.pop("report")), 0o644)
            if stack["access"].get("private_ca") and done.get("authority"):
                _keep(reports / "edge-ca.crt", done["authority"])
        except OSError as error:
            return done | {
                "failed": True,
                "msg": f"{error.filename} cannot be written: {error.strerror}",
            }
        return {"msg": f"{len(done['proofs'])} promises kept"} | done

    def _add_look(self, done: dict[str, Any], target: Target, given: str) -> None:
        """Add the proof to the results and to the report."""
        proof, message = check(lambda: self._look(target, given), Masker(self._hidden))
        done["proofs"] = done["report"]["proofs"] = [*done["report"]["proofs"], asdict(proof)]
        done["lines"] = [*done["lines"], proof.line]
        if message:
            message = f"{target.environment} ({target.runtime}) breaks a promise: {NAME}\n{message}"
            done |= {"failed": True, "msg": message}
            done["report"] |= {"ok": False, "message": message}

    def _look(self, target: Target, given: str) -> Finding:
        host = self.host
        name = given or (self.address if host.remote else own_address())
        if not name:
            return Finding("this machine has no address but loopback: nothing can reach it")
        address = looked_up(name)
        seen = ports_of(target.published, map(asdict, target.closed_ports), address)
        control = self.ssh_port if host.remote and not given else 0

        def users(ports: list[int]) -> Mapping[str, Mapping[str, Any]]:
            command = list(target.address_command)
            return dict(host.call("port_users", ports=ports, address_command=command))

        return check_ports(name, address, seen, users, control)


def _keep(path: Path, authority: str) -> None:
    """Write down whom clients have to trust. Raises OSError."""
    if not path.exists() or path.read_text(encoding="utf-8") != authority:
        replace_file(path, authority.encode(), 0o644)
