"""Become one program of the embedded runtime: find its binary, make it ready, give up root, and exec.

supervisord calls it through the rendered ``launch.py``. What it becomes keeps its process id.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from .database import prepare_cluster
from .folder import EmbeddedError, Folder
from .processes import (
    Started,
    UnprivilegedError,
    boot_id,
    end_group,
    read_started,
    start_ticks,
    unprivileged_prefix,
)
from .programs import (
    SYSTEM_PATH,
    Program,
    find_binary,
    fingerprint,
    load_program,
    postgres_tools,
    version_of,
)
from .staging import Staging

CANNOT_START = 78  # EX_CONFIG of sysexits.h
PATIENCE_SECONDS = 3.0
# PostgreSQL waits for its clients on SIGTERM; SIGINT is its fast and clean shutdown.
STOP_SIGNALS = {"postgres": signal.SIGINT}
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(script: str, name: str) -> int:
    """Start the program ``name`` of the folder that ``script`` lies in. Returns only when that is impossible."""
    try:
        _become(Folder(Path(script).parent), name)
    except (EmbeddedError, UnprivilegedError) as error:
        reason = str(error)
    except (OSError, ValueError) as error:
        reason = str(error).replace("\0", "\\0")
    print(f"{name} cannot start: {reason}", file=sys.stderr)
    return CANNOT_START


def _become(folder: Folder, name: str) -> NoReturn:
    program = load_program(folder, name)
    staging = Staging(folder, program)
    binary = staging.readable(find_binary(program.argv[0]))
    stop_signal = STOP_SIGNALS.get(program.probe, signal.SIGTERM)
    earlier = read_started(folder.record(name))
    if earlier is not None:
        # Server processes outlive a main process that was killed, and would keep the port.
        end_group(earlier, PATIENCE_SECONDS)
    prefix = unprivileged_prefix(staging.uid)
    if program.database:
        tools = staging.readable(postgres_tools())
        prepare_cluster(program, folder.data / "postgres", tools, staging.uid, prefix)
    if program.data:
        _prepare_data(Path(program.data), staging.uid)
    _note(folder, program, binary, stop_signal)

    # Whatever ends supervisord ends this too: nothing is left behind that nobody looks after.
    if prefix:
        prefix.insert(1, f"--pdeathsig={stop_signal.name.removeprefix('SIG')}")
    else:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, stop_signal.value)
    environment = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": "/", **program.env}
    if "PYTHONPATH" in program.env:
        environment["PYTHONPATH"] = str(staging.readable(Path(program.env["PYTHONPATH"])))
        environment |= staging.environment
    words = [*prefix, str(binary), *program.argv[1:]]
    os.chdir("/")
    sys.stdout.flush()
    os.execve(words[0], words, environment)


def _prepare_data(data: Path, uid: int | None) -> None:
    """Make the folder, and give what is in it to the user who runs the program now."""
    data.mkdir(mode=0o700, exist_ok=True)
    if uid is not None and data.stat().st_uid != uid:
        for path in (data, *data.rglob("*")):
            os.chown(path, uid, -1, follow_symlinks=False)


def _note(folder: Folder, program: Program, binary: Path, stop_signal: signal.Signals) -> None:
    pid = os.getpid()
    Started(
        pid=pid,
        ticks=start_ticks(pid) or 0,
        boot=boot_id(),
        port=program.port,
        binary=os.path.realpath(binary),
        fingerprint=fingerprint(program),
        version="" if program.probe == "http" else version_of(binary),
        stop_signal=stop_signal.value,
    ).write(folder.record(program.name))
