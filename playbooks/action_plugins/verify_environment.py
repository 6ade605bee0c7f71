"""Action plugin ``verify_environment``: the module of that name on the host, then a look from outside, and the report.

Arguments are the module's and ``report_path`` (verify.json, on this machine), ``ca_path`` (where to keep whom clients
have to trust; empty: nowhere), ``published`` (ports with service and the address they are bound to), and
``outside_address``: where to look for ports. Empty means the address of the host, for this machine its own that is not
loopback; ``none`` to look nowhere.
Returns what the module does, with the proof ``outside`` added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackwright.environment_action import EnvironmentAction
from stackwright.output.write import make_folder, replace_file
from stackwright.secrets.masking import Masker
from stackwright.verification import report
from stackwright.verification.outside import (
    NAME,
    doors,
    look,
    looked_up,
    own_address,
    proof_of,
)
from stackwright.verification.promise import Finding


class ActionModule(EnvironmentAction):
    """See the module's docstring."""

    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Prove there, look from here, write here."""
        arguments = dict(self._task.args)
        own = {
            name: arguments.pop(name, "")
            for name in ("report_path", "ca_path", "published", "outside_address")
        }
        done = self.module("verify_environment", arguments)
        if "report" not in done:  # check mode, or a module that could not work at all
            return done
        if not done.get("failed") and own["outside_address"] != "none":
            self._add_look(done, own, arguments)
        path = Path(str(own["report_path"]))
        try:
            make_folder(path.parent)
            report.write(path, done.pop("report"))
            if own["ca_path"] and done.get("authority"):
                _keep(Path(str(own["ca_path"])), done["authority"])
        except OSError as error:
            return done | {
                "failed": True,
                "msg": f"{error.filename} cannot be written: {error.strerror}",
            }
        return {"msg": f"{len(done['proofs'])} promises kept"} | done

    def _add_look(
        self, done: dict[str, Any], own: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> None:
        """Add the proof to the results and to the report."""
        masker = Masker([str(secret) for secret in arguments["secrets"]])
        proof, message = proof_of(lambda: self._look(own, arguments), masker)
        done["proofs"] = done["report"]["proofs"] = [*done["report"]["proofs"], asdict(proof)]
        done["lines"] = [*done["lines"], proof.line]
        if message:
            environment, runtime = arguments["environment"], arguments["runtime"]
            message = f"{environment} ({runtime}) breaks a promise: {NAME}\n{message}"
            done |= {"failed": True, "msg": message}
            done["report"] |= {"ok": False, "message": message}

    def _look(self, own: Mapping[str, Any], arguments: Mapping[str, Any]) -> Finding:
        host, given = self.host, str(own["outside_address"])
        name = given or (self.address if host.remote else own_address())
        if not name:
            return Finding("this machine has no address but loopback: nothing can reach it")
        address = looked_up(name)
        seen = doors(own["published"], arguments["closed_ports"], address)
        control = 0
        if host.remote and not given:
            control = self.ssh_port

        def users(ports: list[int]) -> Mapping[str, Mapping[str, Any]]:
            command = arguments["address_command"]
            return dict(host.call("port_users", ports=ports, address_command=command))

        return look(name, address, seen, users, control)


def _keep(path: Path, authority: str) -> None:
    """Write down whom clients have to trust. Raises OSError."""
    if not path.exists() or path.read_text(encoding="utf-8") != authority:
        replace_file(path, authority.encode(), 0o644)
