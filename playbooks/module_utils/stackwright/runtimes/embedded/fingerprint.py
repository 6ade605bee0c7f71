"""Tell by a hash whether a running process is what a new start would run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ...images.content_hash import content_hash
from .binaries import find_binary
from .errors import EmbeddedError
from .program import Program


def _content(path: str) -> str:
    """Hash of a file that a variable names; empty when it cannot be read, which is the program's own affair."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""


def fingerprint(program: Program) -> str:
    """SHA-256 over binary, arguments, environment, the files that it and ``files`` name, owner's password, user, code.

    Raises EmbeddedError when the binary is missing.
    """
    binary = find_binary(program.argv[0])
    try:
        status = binary.stat()
    except OSError as error:
        raise EmbeddedError(f"{binary}: {error.strerror}") from None
    named = [path for name, path in program.env.items() if name.endswith("_FILE")]
    files = {path: _content(path) for path in (*named, *program.files)}
    facts = [
        str(binary),
        status.st_mtime_ns,
        status.st_size,
        program.argv,
        program.env,
        program.user,
        files,
        # The owner's password is set before the server runs; those of other roles while it does.
        program.database_password if program.database else "",
        content_hash(Path(path) for path in program.code),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
