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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tasks_api.http.auth import FORM, SCOPES, SHORTEST_SECRET, Token

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_LOG_FORMATS = ("plain", "json")
_MOST = 2**31 - 1  # what PostgreSQL, Redis and the system take for a number
# ASCII and C1 control characters: no host, name or password of ours holds one, and libpq ends a
# value at NUL.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TOKEN_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_ORIGIN = re.compile(
    r"\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?"
)
_HOST = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?|[A-Za-z0-9]([A-Za-z0-9._-]{0,252})")


@dataclass(frozen=True)
class Config:
    """Everything the service can be told. Durations are seconds, sizes bytes."""

    db_password: str = field(repr=False)
    redis_password: str | None = field(default=None, repr=False)
    db_host: str = "banco-dados"
    db_port: int = 5432
    db_name: str = "tasks_db"
    db_user: str = "admin"
    db_pool_size: int = 4
    db_pool_wait_seconds: int = 1
    db_connect_timeout_seconds: int = 3
    db_statement_timeout_seconds: int = 5
    redis_host: str = "cache-redis"
    redis_port: int = 6379
    redis_user: str | None = None
    cache_ttl_seconds: int = 60
    api_host: str = "0.0.0.0"
    api_port: int = 5000
    api_workers: int = 2
    api_threads: int = 4
    max_body_bytes: int = 65536
    tokens: tuple[Token, ...] = ()
    public_reads: bool = True
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    client_rate: int = 0
    client_burst: int = 1
    fast_path: bool = True
    log_level: str = "INFO"
    log_format: str = "plain"
    environment: str = "dev"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Read the settings from `environ` (default: the process environment).

        Raises:
            ConfigError: a variable is missing, empty, malformed or out of range, or its file is
            unreadable.
        """
        env = Reader(os.environ if environ is None else environ)
        threads = env.number("API_THREADS", cls.api_threads)
        redis_user, redis_password = env.optional("REDIS_USER"), env.optional("REDIS_PASSWORD")
        if redis_user and not redis_password:
            raise ConfigError(
                "REDIS_USER is set, and neither REDIS_PASSWORD nor REDIS_PASSWORD_FILE"
            )
        return cls(
            db_host=env.text("DB_HOST", cls.db_host),
            db_port=env.port("DB_PORT", cls.db_port),
            db_name=env.text("DB_NAME", cls.db_name),
            db_user=env.text("DB_USER", cls.db_user),
            db_password=env.required("DB_PASSWORD"),
            # One connection per thread: fewer would make threads queue, more would never be used.
            db_pool_size=env.number("DB_POOL_SIZE", threads),
            db_pool_wait_seconds=env.number("DB_POOL_WAIT_SECONDS", cls.db_pool_wait_seconds),
            db_connect_timeout_seconds=env.number(
                "DB_CONNECT_TIMEOUT_SECONDS", cls.db_connect_timeout_seconds
            ),
            # PostgreSQL counts in milliseconds.
            db_statement_timeout_seconds=env.number(
                "DB_STATEMENT_TIMEOUT_SECONDS",
                cls.db_statement_timeout_seconds,
                most=_MOST // 1000,
            ),
            redis_host=env.text("REDIS_HOST", cls.redis_host),
            redis_port=env.port("REDIS_PORT", cls.redis_port),
            redis_user=redis_user,
            redis_password=redis_password,
            cache_ttl_seconds=env.number("CACHE_TTL_SECONDS", cls.cache_ttl_seconds),
            api_host=env.ip_address("API_HOST", cls.api_host),
            api_port=env.port("API_PORT", cls.api_port),
            api_workers=env.number("API_WORKERS", cls.api_workers),
            api_threads=threads,
            max_body_bytes=env.number("MAX_BODY_BYTES", cls.max_body_bytes),
            tokens=env.tokens("API_TOKENS_FILE"),
            public_reads=env.choice("API_PUBLIC_READS", "true", ("true", "false")) == "true",
            cors_origins=env.origins("CORS_ORIGINS"),
            trusted_proxies=env.hosts("TRUSTED_PROXIES"),
            client_rate=env.number("CLIENT_RATE", cls.client_rate, least=0),
            client_burst=env.number("CLIENT_BURST", cls.client_burst),
            log_level=env.choice("LOG_LEVEL", cls.log_level, _LOG_LEVELS),
            log_format=env.choice("LOG_FORMAT", cls.log_format, _LOG_FORMATS),
            environment=env.text("STACK_ENVIRONMENT", cls.environment),
        )


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

    def number(self, name: str, default: int, least: int = 1, most: int = _MOST) -> int:
        """A whole number: a positive one if nothing else is said."""
        value = self.optional(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,10}", value) or not least <= int(value) <= most:
            raise ConfigError(f"{name} must be a whole number from {least} to {most}")
        return int(value)

    def port(self, name: str, default: int) -> int:
        """The number of a TCP port."""
        return self.number(name, default, most=65535)

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
