"""A limit: granian's WSGI server answering fixed bytes, no framework at all.

The folder PAYLOADS holds one file per path: `/3` is answered with the file `3`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ANSWERS = {f"/{file.name}": file.read_bytes() for file in Path(os.environ["PAYLOADS"]).iterdir()}


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = ANSWERS[environ["PATH_INFO"]]
    start_response(
        "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]
