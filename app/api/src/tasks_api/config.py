"""Settings of the service, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks_api.environ import ConfigError, Reader
from tasks_api.http.tokens import Token

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_LOG_FORMATS = ("plain", "json")


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
    ahead_of_flask: bool = True
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
        threads = env.integer("API_THREADS", cls.api_threads, 1, 64)
        redis_user, redis_password = env.optional("REDIS_USER"), env.optional("REDIS_PASSWORD")
        if redis_user and not redis_password:
            raise ConfigError(
                "REDIS_USER is set, and neither REDIS_PASSWORD nor REDIS_PASSWORD_FILE"
            )
        return cls(
            db_host=env.text("DB_HOST", cls.db_host),
            db_port=env.integer("DB_PORT", cls.db_port, 1, 65535),
            db_name=env.text("DB_NAME", cls.db_name),
            db_user=env.text("DB_USER", cls.db_user),
            db_password=env.required("DB_PASSWORD"),
            # One connection per thread: fewer would make threads queue, more would never be used.
            db_pool_size=env.integer("DB_POOL_SIZE", threads, 1, 64),
            db_pool_wait_seconds=env.integer(
                "DB_POOL_WAIT_SECONDS", cls.db_pool_wait_seconds, 1, 60
            ),
            # libpq takes 1 for 2, see "connect_timeout" in its list of parameter key words.
            db_connect_timeout_seconds=env.integer(
                "DB_CONNECT_TIMEOUT_SECONDS", cls.db_connect_timeout_seconds, 2, 60
            ),
            db_statement_timeout_seconds=env.integer(
                "DB_STATEMENT_TIMEOUT_SECONDS", cls.db_statement_timeout_seconds, 1, 600
            ),
            redis_host=env.text("REDIS_HOST", cls.redis_host),
            redis_port=env.integer("REDIS_PORT", cls.redis_port, 1, 65535),
            redis_user=redis_user,
            redis_password=redis_password,
            cache_ttl_seconds=env.integer("CACHE_TTL_SECONDS", cls.cache_ttl_seconds, 1, 86400),
            api_host=env.ip_address("API_HOST", cls.api_host),
            api_port=env.integer("API_PORT", cls.api_port, 1, 65535),
            api_workers=env.integer("API_WORKERS", cls.api_workers, 1, 64),
            api_threads=threads,
            max_body_bytes=env.integer("MAX_BODY_BYTES", cls.max_body_bytes, 1024, 2**30),
            tokens=env.tokens("API_CLIENTS"),
            public_reads=env.choice("API_PUBLIC_READS", "true", ("true", "false")) == "true",
            cors_origins=env.origins("CORS_ORIGINS"),
            trusted_proxies=env.hosts("TRUSTED_PROXIES"),
            client_rate=env.integer("CLIENT_RATE", cls.client_rate, 0, 100_000),
            client_burst=env.integer("CLIENT_BURST", cls.client_burst, 1, 1_000_000),
            log_level=env.choice("LOG_LEVEL", cls.log_level, _LOG_LEVELS),
            log_format=env.choice("LOG_FORMAT", cls.log_format, _LOG_FORMATS),
            environment=env.text("STACK_ENVIRONMENT", cls.environment),
        )
