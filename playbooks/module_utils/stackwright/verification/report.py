"""What a verification found, and the file it is kept in."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..secrets.masking import Masker


@dataclass(frozen=True)
class Proof:
    """One proof's result; ``seconds`` is how long it took, ``unknown`` what could not be observed, see Finding."""

    name: str
    ok: bool
    text: str
    seconds: float
    evidence: Mapping[str, Any] = field(default_factory=dict)
    unknown: str = ""

    @property
    def line(self) -> str:
        """The proof in one printable line."""
        state = ("partly" if self.unknown else "ok") if self.ok else "BROKEN"
        rest = f"; unknown: {self.unknown}" if self.unknown else ""
        return f"{state:<6} {self.name:<8} {self.text}{rest}"


def masked(proof: Proof, masker: Masker) -> Proof:
    """The proof without secrets, its texts in one line."""
    text, unknown = (" ".join(masker.text(part).split()) for part in (proof.text, proof.unknown))
    return replace(proof, text=text, unknown=unknown, evidence=masker.tree(dict(proof.evidence)))


@dataclass(frozen=True)
class Outcome:
    """A whole verification. ``message`` explains the broken promise, empty if every one is kept."""

    environment: str
    runtime: str
    started: str
    seconds: float
    proofs: list[Proof]
    services: dict[str, str]
    seeded_tasks: int
    leftovers: list[str]
    message: str

    @property
    def ok(self) -> bool:
        """Whether every promise is kept."""
        return not self.message

    def as_json(self) -> dict[str, Any]:
        """The report: environment, runtime, started (ISO 8601, UTC), seconds, ok, proofs, services."""
        return {"ok": self.ok, **asdict(self)}


def write(path: Path, outcome: Outcome | Mapping[str, Any]) -> None:
    """Replace the report in one step: a reader sees the old one or the new one. Raises OSError."""
    content = outcome.as_json() if isinstance(outcome, Outcome) else outcome
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
