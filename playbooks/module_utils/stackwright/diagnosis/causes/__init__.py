"""Known causes of failures, as data: what programs say, what that means, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Exit codes as sysexits.h names them.
UNAVAILABLE, SOFTWARE, OS_ERROR, CANNOT_CREATE, NO_PERMISSION, CONFIG = 69, 70, 71, 73, 77, 78


@dataclass(frozen=True)
class Cause:
    """Lines that match one of ``patterns`` have this ``cause`` and this ``fix``.

    Both are `str.format` templates over the pattern's named groups and what ``match.diagnose`` adds: ``environment``,
    ``up`` (the command that brings it up), ``settings`` (its file), ``embedded`` (how to do without Docker),
    ``service``, ``owner`` (of the group ``port``), ``meaning`` (of the group ``code``) and ``disk``. A symptom says
    what happened, not why, and is shown only where nothing better was found.
    """

    name: str
    patterns: tuple[str, ...]
    cause: str
    fix: str
    fix_embedded: str = ""
    exit: int = UNAVAILABLE
    symptom: bool = False
    compiled: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        compiled = tuple(re.compile(pattern, re.IGNORECASE) for pattern in self.patterns)
        object.__setattr__(self, "compiled", compiled)

    def match(self, line: str) -> dict[str, str] | None:
        """The named groups found in a line, None if no pattern matches."""
        for pattern in self.compiled:
            if found := pattern.search(line):
                return {name: value or "" for name, value in found.groupdict().items()}
        return None
