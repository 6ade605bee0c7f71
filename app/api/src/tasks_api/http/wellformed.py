"""What makes a request one of HTTP/1.1, as far as the server does not look (RFC 9110, RFC 9112).

The server gives headers of one name joined by commas, an absent Host as an empty one, and methods
and transfer codings as they were sent; Flask takes methods in any case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tasks_api.errors import ApiError

# RFC 3986, 3.2.2: a name or an address, and a port. A name may hold commas there, but none in the
# world does, while two headers look like that.
_HOST = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+;=-]++|%[0-9A-Fa-f]{2})++(?::[0-9]{0,5})?"
    r"|\[[0-9A-Fa-f:.]+\](?::[0-9]{0,5})?"
)
_WITHOUT_HOST = frozenset({"HTTP/1", "HTTP/1.0"})


class BadHost(ApiError):
    """400: no header Host, several, or none that could be one."""

    def __init__(self) -> None:
        super().__init__(400, "bad_host", "The request must have one Host header, which is valid.")


class UnknownMethod(ApiError):
    """501: no method that anything here could have. Methods are told apart by case."""

    def __init__(self) -> None:
        super().__init__(501, "unknown_method", "There is no such method here.")


class UnknownCoding(ApiError):
    """501: the body is coded for transfer in a way that is not undone here."""

    def __init__(self) -> None:
        super().__init__(501, "unknown_transfer_coding", "There is no such Transfer-Encoding here.")


def require(environ: Mapping[str, Any]) -> None:
    """Return if a request is well-formed. Raises BadHost, UnknownMethod, UnknownCoding."""
    host = environ.get("HTTP_HOST", "")
    if not _HOST.fullmatch(host) and (host or environ["SERVER_PROTOCOL"] not in _WITHOUT_HOST):
        raise BadHost
    if not environ["REQUEST_METHOD"].isupper():
        raise UnknownMethod
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise UnknownCoding
