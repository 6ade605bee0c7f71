"""Settings of the service, read once from the environment and checked.

Every variable ``NAME`` may instead be given as ``NAME_FILE``, the path of a file holding the value:
that is how passwords arrive, because environment values show in ``docker inspect``. Here is checked
what a value must be to work at all; what is sensible, the generator's settings say.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tasks_api.http.auth import FORM, SCOPES, SHORTEST_SECRET, Token

_MOST = 2**31 - 1  # what PostgreSQL, Redis and the system take for a number
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


class _Reader:
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

    def number(self, name: str, default: int, least: int = 1, most: int = _MOST) -> int:
        """A whole number: a positive one if nothing else is said."""
        value = self.optional(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,10}", value) or not least <= int(value) <= most:
            raise ConfigError(f"{name} must be a whole number from {least} to {most}")
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

    def boolean(self, name: str, default: bool) -> bool:
        """``true`` or ``false``."""
        return self.choice(name, str(default), ("true", "false")) == "true"

    def tokens(self, name: str) -> tuple[Token, ...]:
        """``NAME:SCOPE:FILE``, separated by spaces, where FILE holds the token; without any, none is asked for.

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

    def words(self, name: str, pattern: re.Pattern[str], what: str) -> tuple[str, ...]:
        """Words of this form, separated by spaces."""
        words = tuple((self.optional(name) or "").split())
        if not all(map(pattern.fullmatch, words)):
            raise ConfigError(f"{name} must be {what}, separated by spaces")
        return words


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


def _variable(read: Callable[..., Any], name: str, *how: Any, **more: Any) -> Any:
    """A field of Config: read from the variable `name` by `read`, a method of _Reader."""
    return field(metadata={"read": lambda reader: read(reader, name, *how)}, **more)


def _text(name: str, default: str) -> Any:
    return _variable(_Reader.text, name, default, default=default)


def _number(name: str, default: int, least: int = 1, most: int = _MOST) -> Any:
    return _variable(_Reader.number, name, default, least, most, default=default)


def _port(name: str, default: int) -> Any:
    return _number(name, default, most=65535)


def _choice(name: str, default: str, *allowed: str) -> Any:
    return _variable(_Reader.choice, name, default, allowed, default=default)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything the service can be told, a line for each. Durations are seconds, sizes bytes."""

    db_host: str = _text("DB_HOST", "banco-dados")
    db_port: int = _port("DB_PORT", 5432)
    db_name: str = _text("DB_NAME", "tasks_db")
    db_user: str = _text("DB_USER", "admin")
    db_password: str = _variable(_Reader.required, "DB_PASSWORD", repr=False)
    # One connection per thread if nothing is said: fewer would make threads queue, more would never be used.
    db_pool_size: int = _number("DB_POOL_SIZE", 4)
    db_pool_wait_seconds: int = _number("DB_POOL_WAIT_SECONDS", 1)
    db_connect_timeout_seconds: int = _number("DB_CONNECT_TIMEOUT_SECONDS", 3)
    # PostgreSQL counts in milliseconds.
    db_statement_timeout_seconds: int = _number(
        "DB_STATEMENT_TIMEOUT_SECONDS", 5, most=_MOST // 1000
    )
    redis_host: str = _text("REDIS_HOST", "cache-redis")
    redis_port: int = _port("REDIS_PORT", 6379)
    redis_user: str | None = _variable(_Reader.optional, "REDIS_USER", default=None)
    redis_password: str | None = _variable(
        _Reader.optional, "REDIS_PASSWORD", default=None, repr=False
    )
    cache_ttl_seconds: int = _number("CACHE_TTL_SECONDS", 60)
    api_host: str = _variable(_Reader.ip_address, "API_HOST", "0.0.0.0", default="0.0.0.0")
    api_port: int = _port("API_PORT", 5000)
    api_workers: int = _number("API_WORKERS", 2)
    api_threads: int = _number("API_THREADS", 4)
    max_body_bytes: int = _number("MAX_BODY_BYTES", 65536)
    tokens: tuple[Token, ...] = _variable(_Reader.tokens, "API_TOKENS_FILE", default=())
    public_reads: bool = _variable(_Reader.boolean, "API_PUBLIC_READS", True, default=True)
    cors_origins: tuple[str, ...] = _variable(
        _Reader.words,
        "CORS_ORIGINS",
        _ORIGIN,
        "origins such as https://app.example.com, or *",
        default=(),
    )
    trusted_proxies: tuple[str, ...] = _variable(
        _Reader.words,
        "TRUSTED_PROXIES",
        _HOST,
        "addresses, networks such as 10.0.0.0/8 or host names",
        default=(),
    )
    client_rate: int = _number("CLIENT_RATE", 0, least=0)
    client_burst: int = _number("CLIENT_BURST", 1)
    log_level: str = _choice("LOG_LEVEL", "INFO", "DEBUG", "INFO", "WARNING", "ERROR")
    log_format: str = _choice("LOG_FORMAT", "plain", "plain", "json")
    environment: str = _text("STACK_ENVIRONMENT", "dev")
    fast_path: bool = True
    """False leaves everything to Flask, for tests."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Read the settings from `environ` (default: the process environment).

        Raises:
            ConfigError: a variable is missing, empty, malformed or out of range, or its file is
            unreadable.
        """
        reader = _Reader(os.environ if environ is None else environ)
        values = {one.name: one.metadata["read"](reader) for one in fields(cls) if one.metadata}
        if reader.optional("DB_POOL_SIZE") is None:
            values["db_pool_size"] = values["api_threads"]
        if values["redis_user"] and not values["redis_password"]:
            raise ConfigError(
                "REDIS_USER is set, and neither REDIS_PASSWORD nor REDIS_PASSWORD_FILE"
            )
        return cls(**values)
