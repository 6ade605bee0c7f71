"""Checks of the ways in: what the API does without a token, and what the proxy before it is there for.

That the proxy is all there is to reach, the check of the ports shows.
"""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from secrets import token_hex

from .. import tasks
from ..client import Api, Response
from ..context import Context
from ..report import CheckFailed, Finding
from ..target import Edge

_PROTECTED = (("GET", "/metrics"), ("GET", "/cache/stats"))
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def tokens(context: Context) -> Finding:
    """Nobody writes, or sees metrics and cache, without a token; reading is as open as the settings say."""
    anonymous = context.client(context.deadline, anonymous=True)
    _refused(anonymous, "POST", "/tasks", {"title": tasks.title(context)})
    for method, path in _PROTECTED:
        _refused(anonymous, method, path)
        context.api.expect(method, path, 200)
    if context.target.public_reads:
        anonymous.expect("GET", "/tasks?limit=1", 200)
        reading = "reading is open"
    else:
        _refused(anonymous, "GET", "/tasks?limit=1")
        reading = "so is reading"
    text = f"writes, /metrics and /cache/stats are refused without a token, {reading}"
    return Finding(text, {"public_reads": context.target.public_reads})


def edge(context: Context) -> Finding:
    """HTTP leads to HTTPS; TLS, as every check used it; headers, request ids and the limit of bodies."""
    target = context.target.edge
    if target is None:
        raise ValueError("there is no edge to check")
    _redirects(context, target)
    identity = f"verification-{token_hex(8)}"
    path = _path(context)
    response = context.api.expect("GET", path, 200, headers={"X-Request-ID": identity})
    wanted = _HEADERS | {"X-Request-ID": identity}
    if target.hsts_seconds:
        wanted["Strict-Transport-Security"] = f"max-age={target.hsts_seconds}"
    _has_headers(response, wanted)
    # Announced, not sent: who refuses a body hangs up, and the answer may be lost while the rest is still being sent.
    large = {"Content-Type": "application/json", "Content-Length": str(target.max_body_bytes + 1)}
    refused = context.api.expect("POST", path.partition("?")[0], 413, headers=large)
    _has_headers(refused, _HEADERS)
    until = context.api.certificate.get("notAfter", "an unknown time")
    text = f"HTTP leads to HTTPS, certificate valid until {until}, headers, bodies above the limit refused"
    return Finding(text, {"not_after": until, "headers": sorted(wanted)})


def _path(context: Context) -> str:
    """What is asked of the application to see what the edge makes of it."""
    application = context.target.application
    return application.health_path if application.own else "/tasks?limit=1"


def _redirects(context: Context, target: Edge) -> None:
    path = _path(context)
    location = f"{context.target.base_url}{path}"
    expected = f"http port {target.http_port} leads to {location}"
    connection = HTTPConnection(
        target.address, target.http_port, timeout=context.deadline.bound(10)
    )
    try:
        connection.request("GET", path, headers={"Host": target.host, "Connection": "close"})
        response = connection.getresponse()
    except (OSError, HTTPException) as error:
        raise CheckFailed(expected, f"no answer: {error}", role="edge") from None
    finally:
        connection.close()
    got = f"{response.status} {response.headers.get('Location')}"
    if got != f"308 {location}":
        raise CheckFailed(expected, got, role="edge")


def _has_headers(response: Response, wanted: dict[str, str]) -> None:
    for name, value in wanted.items():
        if response.headers.get(name.lower()) != value:
            got = f"{name}: {response.headers.get(name.lower())}"
            raise CheckFailed(
                f"{response.request} is answered with {name}: {value}", got, role="edge"
            )


def _refused(anonymous: Api, method: str, path: str, body: object = None) -> None:
    response = anonymous.expect(method, path, 401, body)
    kind = response.headers.get("www-authenticate", "")
    if not kind.startswith("Bearer"):
        expected = f"{method} {path} without a token is answered with WWW-Authenticate: Bearer"
        raise CheckFailed(expected, kind or "none")
