"""Plain data as one word of text: a parameter that Ansible can hide as a whole."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any


def pack(value: Any) -> str:
    """JSON, compressed, in base64."""
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


def unpack(text: str) -> Any:
    """The reverse of ``pack``."""
    return json.loads(zlib.decompress(base64.b64decode(text)))
