"""Run a program as an unprivileged user when we are root: PostgreSQL refuses root, and the others do not need it."""

from __future__ import annotations

import os
import pwd
import shutil
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


def open_to_all(path: Path) -> bool:
    """Whether every user may read a file, or pass through a folder; what is missing is made open."""
    resolved = path.resolve()
    if not all(folder.stat().st_mode & 0o001 for folder in resolved.parents if folder.is_dir()):
        return False
    needed = 0o001 if resolved.is_dir() else 0o004
    return not resolved.exists() or bool(resolved.stat().st_mode & needed)


def unprivileged_prefix(uid: int | None) -> list[str]:
    """Words to put before a command that runs as ``uid``; none when ``uid`` is None.

    Raises UnprivilegedError where setpriv is missing.
    """
    if uid is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UnprivilegedError(
            "running as root needs setpriv (package util-linux), or run as an ordinary user"
        )
    group = pwd.getpwuid(uid).pw_gid
    return [setpriv, f"--reuid={uid}", f"--regid={group}", "--clear-groups", "--"]
