"""Proof that the API does for whoever has no token what it should, and no more."""

from __future__ import annotations

from . import probes
from .api import Api
from .context import Context
from .promise import BrokenPromiseError, Finding

_PROTECTED = (("GET", "/metrics"), ("GET", "/cache/stats"))


def tokens(context: Context) -> Finding:
    """Nobody writes, or sees metrics and cache, without a token; reading is as open as the settings say."""
    stranger = context.client(context.deadline, anonymous=True)
    _refused(stranger, "POST", "/tasks", {"title": probes.title(context)})
    for method, path in _PROTECTED:
        _refused(stranger, method, path)
        context.api.must(method, path, 200)
    if context.target.public_reads:
        stranger.must("GET", "/tasks?limit=1", 200)
        reading = "reading is open"
    else:
        _refused(stranger, "GET", "/tasks?limit=1")
        reading = "so is reading"
    text = f"writes, /metrics and /cache/stats are refused without a token, {reading}"
    return Finding(text, {"public_reads": context.target.public_reads})


def _refused(stranger: Api, method: str, path: str, body: object = None) -> None:
    answer = stranger.must(method, path, 401, body)
    kind = answer.headers.get("www-authenticate", "")
    if not kind.startswith("Bearer"):
        expected = f"{method} {path} without a token is answered with WWW-Authenticate: Bearer"
        raise BrokenPromiseError(expected, kind or "none")
