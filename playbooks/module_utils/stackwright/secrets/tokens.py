"""The API's tokens: the rules of their settings, and how the API is told of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

SECRETS, PREFIX = "api_token_secrets", "api_token_"
ADMIN = "admin"


def secret_of(name: str) -> str:
    """The secret of a token, as the API reads it: a member of the setting ``api_token_secrets``."""
    return PREFIX + name


def token_files(tokens: Mapping[str, str], folder: str) -> str:
    """What API_TOKENS_FILE says: NAME:SCOPE:FILE of each, quoted as for a shell where a path needs it."""
    entries = (
        f"{name}:{scope}:{folder}/{secret_of(name)}" for name, scope in sorted(tokens.items())
    )
    return shlex.join(entries)


def token_file(tokens: Mapping[str, str], folder: str) -> str:
    """The file of the first token that may do everything; empty where there is none."""
    found = sorted(name for name, scope in tokens.items() if scope == ADMIN)
    return f"{folder}/{secret_of(found[0])}" if found else ""


def token_problems(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(setting, reason, fix) each. ``values`` passed the schema."""
    tokens = values["api_tokens"]
    if values["api_auth"] == "none":
        ask = "set api_auth to token, or remove it"
        found = []
        if tokens:
            found.append(
                ("api_tokens", "names tokens, and api_auth is none: nobody needs one", ask)
            )
        if not values["api_public_reads"]:
            found.append(("api_public_reads", "is false, and api_auth is none: all is open", ask))
        return found
    if ADMIN not in tokens.values():
        reason = "has no token with the scope admin, which verification and operators need"
        return [("api_tokens", reason, "add one, such as operator: admin")]
    return _doubles(values)


def _doubles(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Tokens that are the same text as another one: neither could be replaced by itself, nor told by its scope."""
    names = list(values["api_tokens"])
    return [
        (
            f"{SECRETS}.{name}",
            f"is the same as that of {other}",
            "take it out of the vault, then `make secrets` generates one of its own",
        )
        for place, name in enumerate(names)
        for other in names[:place]
        if values[SECRETS][name] == values[SECRETS][other]
    ]
