"""Settings from the environment, and what is said of wrong ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tasks_api.config import Config, ConfigError

from tests.api.servers import PASSWORD
from tests.support.composing import rendered
from tests.support.production import prod_values

SECRET = "s3cret-v4lue"
SETTINGS = Path(__file__).parents[2] / "inventories/group_vars/all"
WITHOUT_SETTING = {
    "API_HOST",  # all of a container's addresses
    "DB_CONNECT_TIMEOUT_SECONDS",
    "DB_POOL_WAIT_SECONDS",
    "DB_STATEMENT_TIMEOUT_SECONDS",
}
"""What only `api_environment` changes."""


def test_defaults_are_the_seeds_without_its_password() -> None:
    config = Config.from_environment({"DB_PASSWORD": SECRET})
    assert (config.db_host, config.db_port) == ("banco-dados", 5432)
    assert (config.db_name, config.db_user) == ("tasks_db", "admin")
    assert (config.redis_host, config.redis_port) == ("cache-redis", 6379)
    assert (config.api_port, config.cache_ttl_seconds, config.log_level) == (5000, 60, "INFO")
    assert config.db_password == SECRET


def test_every_variable_counts() -> None:
    environ = {
        "DB_HOST": "h",
        "DB_PORT": "1",
        "DB_NAME": "n",
        "DB_USER": "u",
        "DB_PASSWORD": PASSWORD,
        "DB_POOL_SIZE": "2",
        "DB_POOL_WAIT_SECONDS": "3",
        "DB_CONNECT_TIMEOUT_SECONDS": "4",
        "DB_STATEMENT_TIMEOUT_SECONDS": "6",
        "REDIS_HOST": "r",
        "REDIS_PORT": "7",
        "REDIS_USER": "ru",
        "REDIS_PASSWORD": "p",
        "CACHE_TTL_SECONDS": "8",
        "API_HOST": "::1",
        "API_PORT": "9",
        "API_WORKERS": "10",
        "API_THREADS": "11",
        "MAX_BODY_BYTES": "1212",
        "CORS_ORIGINS": "https://a.example http://[::1]:3000",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "JSON",
        "STACK_ENVIRONMENT": "prod",
    }
    assert Config.from_environment(environ) == Config(
        db_host="h",
        db_port=1,
        db_name="n",
        db_user="u",
        db_password=PASSWORD,
        db_pool_size=2,
        db_pool_wait_seconds=3,
        db_connect_timeout_seconds=4,
        db_statement_timeout_seconds=6,
        redis_host="r",
        redis_port=7,
        redis_user="ru",
        redis_password="p",
        cache_ttl_seconds=8,
        api_host="::1",
        api_port=9,
        api_workers=10,
        api_threads=11,
        max_body_bytes=1212,
        cors_origins=("https://a.example", "http://[::1]:3000"),
        log_level="DEBUG",
        log_format="json",
        environment="prod",
    )


def test_a_connection_per_thread_by_default() -> None:
    config = Config.from_environment({"DB_PASSWORD": SECRET, "API_THREADS": "7"})
    assert config.db_pool_size == 7


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_password_from_a_file(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(f"{PASSWORD} {ending}".encode())
    assert Config.from_environment({"DB_PASSWORD_FILE": str(file)}).db_password == f"{PASSWORD} "


def test_any_variable_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("1234\n")
    config = Config.from_environment({"DB_PASSWORD": SECRET, "DB_PORT_FILE": str(file)})
    assert config.db_port == 1234


@pytest.mark.parametrize(
    ("name", "value"),
    [("DB_PORT", value) for value in ("0", "65536", "-1", "+1", "1.0", " 1", "x", "1_0", "٣")]
    + [("DB_PORT", "9" * 5000), ("REDIS_PORT", "99999"), ("CACHE_TTL_SECONDS", "0")]
    + [
        ("API_WORKERS", "0"),
        ("API_HOST", "localhost"),
        ("API_THREADS", "0"),
        ("API_THREADS", "3000000000"),
        ("DB_STATEMENT_TIMEOUT_SECONDS", "2147484"),
        ("DB_POOL_SIZE", "0"),
    ]
    + [("MAX_BODY_BYTES", "0"), ("DB_HOST", ""), ("DB_PASSWORD", ""), ("LOG_LEVEL", "LOUD")]
    + [("CORS_ORIGINS", value) for value in ("a.example", "https://a.example/x", "ftp://a", "null")]
    + [("LOG_FORMAT", "xml")]
    + [("DB_PASSWORD", f"{SECRET}\0"), ("DB_PASSWORD", f"{SECRET}\nx"), ("DB_USER", "\x7f")]
    + [("DB_PASSWORD_FILE", f"/{SECRET}/missing"), ("DB_PASSWORD_FILE", "/"), ("DB_HOST_FILE", "")],
    ids=lambda value: repr(value[:20]),
)
def test_wrong_variable_is_named_and_its_value_kept_secret(name: str, value: str) -> None:
    environ = {"DB_PASSWORD": SECRET, name: value}
    if name == "DB_PASSWORD_FILE":
        del environ["DB_PASSWORD"]
    with pytest.raises(ConfigError, match=rf"^{name} ") as error:
        Config.from_environment(environ)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\xff", b"a\0b", b"a\nb\n"],
    ids=["none", "empty", "latin", "nul", "two"],
)
def test_wrong_content_of_a_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^DB_PASSWORD_FILE "):
        Config.from_environment({"DB_PASSWORD_FILE": str(file)})


def test_missing_password() -> None:
    with pytest.raises(ConfigError, match=r"^DB_PASSWORD is not set: give .* DB_PASSWORD_FILE$"):
        Config.from_environment({})


def test_value_and_file_at_once() -> None:
    with pytest.raises(ConfigError, match=r"^DB_PASSWORD and DB_PASSWORD_FILE are both set"):
        Config.from_environment({"DB_PASSWORD": "x", "DB_PASSWORD_FILE": "/nowhere"})


def test_passwords_do_not_show_in_a_printed_config() -> None:
    assert SECRET not in repr(Config(db_password=SECRET, redis_password=SECRET))


def test_a_redis_user_without_a_password() -> None:
    with pytest.raises(ConfigError, match=r"^REDIS_USER is set, and neither REDIS_PASSWORD nor"):
        Config.from_environment({"DB_PASSWORD": SECRET, "REDIS_USER": "u"})


class Read(dict[str, str]):
    """An environment that notes the names of the variables that are asked for."""

    def __init__(self) -> None:
        super().__init__(DB_PASSWORD="x")
        self.names: set[str] = set()

    def get(self, name: str, default: object = None) -> Any:
        self.names.add(name)
        return super().get(name, default)  # type: ignore[call-overload]


def without_file(names: Iterable[str]) -> set[str]:
    """Return what the variables are for, however their value is given."""
    return {re.sub("(_FILE)+$", "", name) for name in names}


def test_what_the_generator_sets_is_read_and_what_is_read_is_set(tmp_path: Path) -> None:
    read = Read()
    Config.from_environment(read)
    names = without_file(read.names)
    values = prod_values(tmp_path / "inventories")
    # Of what is given where there is something to give, prod lacks this only.
    values["stack_services"]["api-web"]["environment"]["CORS_ORIGINS"] = "https://a.example"
    content = rendered(values)["env/api-web.env"].content.decode()
    found = without_file(line.partition("=")[0] for line in content.splitlines())
    settings = "".join(file.read_text(encoding="utf-8") for file in SETTINGS.glob("*.yml"))
    found |= without_file(re.findall(r"^# @schema .*\bvariable: ([A-Z_]+)", settings, re.MULTILINE))
    assert found - names == set(), "is set, but config.py does not read it"
    assert names - found == WITHOUT_SETTING, "config.py reads it, but nothing sets it"
