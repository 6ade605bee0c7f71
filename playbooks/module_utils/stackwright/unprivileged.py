"""Run a program as an unprivileged user, also from a checkout that only root may enter.

PostgreSQL refuses to run as root. A plain change of user would lose access to a checkout below /root (mode 0700), so
``setpriv`` (util-linux) leaves the one capability that reads past folder permissions, and only where it is needed.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterable
from pathlib import Path


class UnprivilegedError(Exception):
    """The change of user is not possible here; the message says why and what to do."""


def process_user(name: str) -> int | None:
    """Id of the user that processes run as: None when we are not root and stay who we are.

    Raises UnprivilegedError when the user does not exist.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UnprivilegedError(
            f"embedded_user: there is no user {name}; set it to one that exists"
        ) from None


def _others_may_enter(path: Path) -> bool:
    resolved = path.resolve()
    return all(
        folder.stat().st_mode & 0o001 for folder in (resolved, *resolved.parents) if folder.is_dir()
    )


def unprivileged_prefix(uid: int | None, paths: Iterable[Path]) -> list[str]:
    """Words to put before a command that runs as ``uid`` and reads ``paths``; none when ``uid`` is None.

    Raises UnprivilegedError where setpriv is missing.
    """
    if uid is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UnprivilegedError(
            "running as root needs setpriv (package util-linux), or run as an ordinary user"
        )
    words = [setpriv, f"--reuid={uid}", f"--regid={pwd.getpwuid(uid).pw_gid}", "--clear-groups"]
    if not all(_others_may_enter(path) for path in paths):
        words += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [*words, "--"]
