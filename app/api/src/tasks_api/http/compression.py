"""gzip for responses that gain by it: lists, metrics and the description, from 1,400 bytes.

Less fits into one packet anyway. A response with a strong ETag is left alone, since such a tag stands
for exact bytes (RFC 9110, 8.8.1) and is needed as it is for If-Match.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from typing import Any

from tasks_api.http.messages import Response

SMALLEST = 1400
_LEVEL = 4  # higher ones take much longer for hardly less
# RFC 9110, 12.5.3: a coding or *, and what it is worth.
_CODING = re.compile(
    r"[ \t]*(gzip|\*)[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?", re.IGNORECASE
)


def apply(environ: Mapping[str, Any], response: Response) -> None:
    """Compress a response of SMALLEST bytes or more if it may be, and the client takes it."""
    if response.headers.get("ETag", "W/").startswith('"'):
        return
    response.add_vary("Accept-Encoding")
    if _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
        response.headers["Content-Encoding"] = "gzip"
        response.body = _compressed(response)


def _compressed(response: Response) -> bytes:
    """The body, compressed once for all responses of one content: a cached list is asked for often."""
    content = response.content
    if content is None:
        return gzip.compress(response.body, _LEVEL, mtime=0)
    if content.gzipped is None:
        content.gzipped = gzip.compress(content.body, _LEVEL, mtime=0)
    return content.gzipped


def _takes_gzip(accepted: str) -> bool:
    worth: dict[str, float] = {}
    for found in map(_CODING.fullmatch, accepted.split(",")):
        if found:
            coding = found[1].lower()
            worth[coding] = min(worth.get(coding, 1), float(found[2] or 1))
    return worth.get("gzip", worth.get("*", 0)) > 0  # * is every coding that is not named
