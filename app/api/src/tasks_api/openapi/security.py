"""What the description says of who is let in: tokens, and how often one client may ask."""

from __future__ import annotations

from typing import Any, NamedTuple

from tasks_api.config import Config
from tasks_api.errors import ApiError
from tasks_api.http.auth import Forbidden, Unauthorized, needed_scope
from tasks_api.http.rate_limit import TooManyRequests
from tasks_api.http.tokens import SCOPES
from tasks_api.openapi.operations import Route

_SCHEME = "bearer"
SCHEMES = {
    _SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": f"A token with the scope {', '.join(SCOPES)}; each includes the ones before.",
    }
}


class Admission(NamedTuple):
    """Which of the settings' barriers stand before the operations."""

    tokens: bool
    public_reads: bool
    limited: bool

    @classmethod
    def of(cls, config: Config) -> Admission:
        """The barriers of a configuration."""
        return cls(bool(config.tokens), config.public_reads, bool(config.client_rate))

    def security(self, route: Route) -> list[dict[str, list[str]]]:
        """The security requirement of an operation; in OpenAPI 3.1 it names roles too. Empty: none."""
        scope = self._scope(route)
        return [{_SCHEME: [scope]}] if scope else []

    def errors(self, route: Route) -> list[ApiError]:
        """What an operation may answer because of them."""
        found: list[ApiError] = [TooManyRequests(1)] if self.limited else []
        scope = self._scope(route)
        if scope:
            found.append(Unauthorized())
        if scope not in (None, SCOPES[0]):  # every token has the least scope
            found.append(Forbidden(scope))
        return found

    def components(self) -> dict[str, Any]:
        """The security schemes, where there are tokens."""
        return {"securitySchemes": SCHEMES} if self.tokens else {}

    def _scope(self, route: Route) -> str | None:
        if not self.tokens:
            return None
        return needed_scope(route.operation.scope, self.public_reads)
