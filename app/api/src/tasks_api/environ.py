"""Single variables of the environment, read and checked.

Every variable ``NAME`` may instead be given as ``NAME_FILE``, the path of a file holding the value:
that is how passwords arrive, because environment values show in ``docker inspect``.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from tasks_api.http.tokens import FORM, SCOPES, SHORTEST_SECRET, Token

# ASCII and C1 control characters: no host, name or password of ours holds one, and libpq ends a
# value at NUL.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TOKEN_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_ORIGIN = re.compile(
    r"\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?"
)
_HOST = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?|[A-Za-z0-9]([A-Za-z0-9._-]{0,252})")


class ConfigError(Exception):
    """A variable is missing or unusable. The message names it and the reason, never its value."""


class Reader:
    """Reads single variables; every method raises ConfigError naming the variable."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def optional(self, name: str) -> str | None:
        """The value, or None if it is not set."""
        value, file = self._environ.get(name), self._environ.get(f"{name}_FILE")
        if value is not None and file is not None:
            raise ConfigError(f"{name} and {name}_FILE are both set: keep one")
        if file is not None:
            name, value = f"{name}_FILE", _read_file(f"{name}_FILE", file)
        if value is None:
            return None
        if not value:
            raise ConfigError(f"{name} is empty")
        if _CONTROL_CHARACTERS.search(value):
            raise ConfigError(f"{name} holds a control character")
        return value

    def required(self, name: str) -> str:
        """The value, which must be set."""
        value = self.optional(name)
        if value is None:
            raise ConfigError(f"{name} is not set: give {name} or {name}_FILE")
        return value

    def text(self, name: str, default: str) -> str:
        """The value, or `default`."""
        value = self.optional(name)
        return default if value is None else value

    def integer(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A whole number within these bounds."""
        value = self.optional(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,10}", value) or not lowest <= int(value) <= highest:
            raise ConfigError(f"{name} must be a whole number from {lowest} to {highest}")
        return int(value)

    def ip_address(self, name: str, default: str) -> str:
        """An IPv4 or IPv6 address."""
        value = self.text(name, default)
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            raise ConfigError(f"{name} must be an IP address, such as 0.0.0.0") from None

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`, in whatever case."""
        value = self.text(name, default)
        for one in allowed:
            if value.lower() == one.lower():
                return one
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}")

    def tokens(self, name: str) -> tuple[Token, ...]:
        """``NAME:SCOPE:FILE``, separated by spaces; without any, no token is asked for.

        A path with a space in it is quoted as for a shell.
        """
        tokens: dict[str, Token] = {}
        for entry in _words(name, self.optional(name) or ""):
            token, _, rest = entry.partition(":")
            scope, _, file = rest.partition(":")
            if not _TOKEN_NAME.fullmatch(token) or token in tokens or scope not in SCOPES:
                raise ConfigError(
                    f"{name} must be entries NAME:SCOPE:FILE with different names, separated by"
                    f" spaces, the scope being one of {', '.join(SCOPES)}"
                )
            secret = _read_file(f"{name}, token {token},", file)
            if len(secret) < SHORTEST_SECRET:
                raise ConfigError(
                    f"{name}, token {token}, has less than {SHORTEST_SECRET} characters"
                )
            if not FORM.fullmatch(secret):
                raise ConfigError(
                    f"{name}, token {token}, has characters that no header can carry: allowed are"
                    " letters, digits and - . _ ~ + /, and = at the end"
                )
            tokens[token] = Token.of(token, scope, secret)
        return tuple(tokens.values())

    def origins(self, name: str) -> tuple[str, ...]:
        """Web origins, separated by spaces."""
        origins = tuple((self.optional(name) or "").split())
        if not all(map(_ORIGIN.fullmatch, origins)):
            raise ConfigError(
                f"{name} must be origins such as https://app.example.com, separated by spaces, or *"
            )
        return origins

    def hosts(self, name: str) -> tuple[str, ...]:
        """Addresses, networks or host names, separated by spaces."""
        hosts = tuple((self.optional(name) or "").split())
        if not all(map(_HOST.fullmatch, hosts)):
            raise ConfigError(
                f"{name} must be addresses, networks such as 10.0.0.0/8 or host names,"
                " separated by spaces"
            )
        return hosts


def _words(name: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise ConfigError(f"{name} has a quote that does not end") from None


def _read_file(name: str, path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{name} names a file that cannot be read: {error.strerror}") from None
    except ValueError:  # not UTF-8, or a NUL in the path
        raise ConfigError(f"{name} names a file that is not UTF-8 text") from None
    # Editors and `echo` end a file with a newline that is no part of the secret.
    return text.removesuffix("\n").removesuffix("\r")
