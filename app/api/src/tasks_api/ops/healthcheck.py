"""The container's health check: ``python -m tasks_api.ops.healthcheck``, exit code 0 or 1."""

from __future__ import annotations

import http.client
import os
import sys
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

_TIMEOUT_SECONDS = 2.0
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def main() -> int:
    """GET /livez on API_HOST, API_PORT. Returns 0 if it answers, else 1 and says why on stderr."""
    listening = os.environ.get("API_HOST", "0.0.0.0")
    host = _LOCAL.get(listening, listening)
    port = os.environ.get("API_PORT", "5000")
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/livez"
    # An http_proxy in the environment is not meant for the container itself.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(url, timeout=_TIMEOUT_SECONDS):
            return 0
    except (URLError, OSError, ValueError, http.client.HTTPException) as error:
        print(f"unhealthy: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
