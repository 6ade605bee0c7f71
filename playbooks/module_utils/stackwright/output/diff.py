"""The difference between what is on disk and what would be written, complete but without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .plan import Plan, mode_and_owner

MASK = "********"
BEFORE, AFTER = f"{MASK} (before)", f"{MASK} (after)"
# Where services receive secrets in environment delivery; an old value is not known, only where it stands.
SECRET_LINE = re.compile(
    r"^(\s*\"?[A-Z_]*(?:PASSWORD|TOKEN|SECRET)\"?\s*[=:]\s*)(.+)$", re.MULTILINE
)


def _mask(text: str, secrets: Iterable[str], mask: str) -> str:
    text = SECRET_LINE.sub(lambda match: match[1] + mask, text)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, mask)
    return text


def _mode_line(mode: int, owner: int) -> str:
    return f"mode {mode:04o}, user id {owner}\n"


def _entry(target: Path, before: str, after: str) -> dict[str, str]:
    return {
        "before": before,
        "after": after,
        "before_header": str(target),
        "after_header": str(target),
    }


def diff_of(plan: Plan, secrets: Iterable[str]) -> list[dict[str, str]]:
    """One entry per changed or pruned file, in the form of Ansible's ``diff`` result, secrets masked on both sides.

    A file or folder that only gets another mode or owner shows those.
    """
    words = [secret for secret in secrets if secret]
    entries = []
    for path in [*plan.changed, *plan.pruned]:
        target = plan.root / path
        before = target.read_bytes().decode(errors="replace") if target.exists() else ""
        after = plan.files[path].content.decode(errors="replace") if path in plan.files else ""
        if path.startswith("secrets/"):
            before, after = (BEFORE + "\n") if before else "", (AFTER + "\n") if after else ""
        else:
            same = SECRET_LINE.findall(before) == SECRET_LINE.findall(after)
            before, after = (
                _mask(before, words, MASK if same else BEFORE),
                _mask(after, words, MASK if same else AFTER),
            )
        entries.append(_entry(target, before, after))
    for path in plan.remode:
        target, status = plan.root / path, (plan.root / path).stat()
        before = _mode_line(status.st_mode & 0o777, status.st_uid)
        after = (
            _mode_line(plan.folders[path], status.st_uid)
            if path in plan.folders
            else _mode_line(*mode_and_owner(plan.files[path]))
        )
        entries.append(_entry(target, before, after))
    return entries
