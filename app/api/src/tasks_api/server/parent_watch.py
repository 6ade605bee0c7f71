"""Workers do not outlive the main process, however that ended.

One that was killed, by the kernel for want of memory for example, says nothing to its workers. They
would go on and hold the port, with nobody to replace or stop them, beside the next start's.
"""

from __future__ import annotations

import os
import select
import signal
import threading


def watch(parent: int) -> None:
    """Have this process stop, as by SIGTERM, once the process `parent`, which forked it, is gone."""
    try:
        ended = os.pidfd_open(parent)
    except OSError:  # gone, or a kernel before 5.3
        ended = None
    if os.getppid() != parent:
        os._exit(1)
    if ended is not None:
        threading.Thread(target=_wait, args=(ended,), name="parent watch", daemon=True).start()


def _wait(ended: int) -> None:
    select.select([ended], [], [])
    os.kill(os.getpid(), signal.SIGTERM)
