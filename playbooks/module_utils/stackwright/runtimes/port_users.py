"""Whether an open port of this host belongs to an environment or to somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..diagnosis.ports import PortOwner, port_owner
from ..system import ANSWER_SECONDS, run


def is_foreign(owner: PortOwner | None, words: Sequence[str]) -> bool:
    """Whether a listener is known not to be the environment's, going by what its address command prints.

    ``words`` has ``published:PORT`` for what its engine publishes, whoever may see the process that does it, and what
    the command lines of its own listeners hold. Without any word everything is the environment's.
    """
    if owner is None or not words or f"published:{owner.port}" in words:
        return False
    return not any(word in owner.command for word in words)


def port_users(ports: list[int], address_command: list[str]) -> dict[str, dict[str, Any]]:
    """By port, as text: ``owner`` in words (empty if unknown) and whether it is ``foreign``.

    ``address_command`` prints the words, see is_foreign.
    """
    words = run(address_command, ANSWER_SECONDS).out.split() if address_command else []
    owners = {port: port_owner(port) for port in ports}
    return {
        str(port): {"owner": str(owner or ""), "foreign": is_foreign(owner, words)}
        for port, owner in owners.items()
    }
