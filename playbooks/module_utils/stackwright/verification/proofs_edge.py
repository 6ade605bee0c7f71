"""Proof that the proxy before the API does what it is there for. That it is all there is to reach, the ports prove."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from secrets import token_hex

from .api import Answer
from .context import Context
from .promise import BrokenPromiseError, Finding
from .target import Edge

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_PATH = "/tasks?limit=1"


def edge(context: Context) -> Finding:
    """HTTP leads to HTTPS; TLS, as every proof used it; headers, request ids and the limit of bodies."""
    target = context.target.edge
    if target is None:
        raise ValueError("there is no edge to prove")
    _redirects(context, target)
    identity = f"verification-{token_hex(8)}"
    answer = context.api.must("GET", _PATH, 200, headers={"X-Request-ID": identity})
    wanted = _HEADERS | {"X-Request-ID": identity}
    if target.hsts_seconds:
        wanted["Strict-Transport-Security"] = f"max-age={target.hsts_seconds}"
    _has_headers(answer, wanted)
    # Announced, not sent: who refuses a body hangs up, and the answer may be lost while the rest is still being sent.
    large = {"Content-Type": "application/json", "Content-Length": str(target.max_body_bytes + 1)}
    refused = context.api.must("POST", "/tasks", 413, headers=large)
    _has_headers(refused, _HEADERS)
    until = context.api.certificate.get("notAfter", "an unknown time")
    text = f"HTTP leads to HTTPS, certificate valid until {until}, headers, bodies above the limit refused"
    return Finding(text, {"not_after": until, "headers": sorted(wanted)})


def _redirects(context: Context, target: Edge) -> None:
    location = f"{context.target.base_url}{_PATH}"
    expected = f"http port {target.http_port} leads to {location}"
    connection = HTTPConnection(
        target.address, target.http_port, timeout=context.deadline.bound(10)
    )
    try:
        connection.request("GET", _PATH, headers={"Host": target.host, "Connection": "close"})
        response = connection.getresponse()
    except (OSError, HTTPException) as error:
        raise BrokenPromiseError(expected, f"no answer: {error}", role="edge") from None
    finally:
        connection.close()
    got = f"{response.status} {response.headers.get('Location')}"
    if got != f"308 {location}":
        raise BrokenPromiseError(expected, got, role="edge")


def _has_headers(answer: Answer, wanted: dict[str, str]) -> None:
    for name, value in wanted.items():
        if answer.headers.get(name.lower()) != value:
            got = f"{name}: {answer.headers.get(name.lower())}"
            raise BrokenPromiseError(
                f"{answer.request} is answered with {name}: {value}", got, role="edge"
            )
