"""Whether an open port of this host belongs to an environment or to somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .diagnosis_ports import PortOwner, port_owner
from .verification.commands import run

ANSWER_SECONDS = 15.0


def is_foreign(owner: PortOwner | None, words: Sequence[str]) -> bool:
    """Whether a listener is known not to be the environment's: its command line has none of ``words``."""
    return bool(owner and words and not any(word in owner.command for word in words))


def port_users(ports: list[int], address_command: list[str]) -> dict[str, dict[str, Any]]:
    """By port, as text: ``owner`` in words (empty if unknown) and whether it is ``foreign``.

    ``address_command`` prints words that the command lines of the environment's own port publishers hold.
    """
    words = run(address_command, ANSWER_SECONDS).out.split() if address_command else []
    owners = {port: port_owner(port) for port in ports}
    return {
        str(port): {"owner": str(owner or ""), "foreign": is_foreign(owner, words)}
        for port, owner in owners.items()
    }
