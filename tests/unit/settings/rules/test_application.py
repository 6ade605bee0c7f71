"""Variables that api_environment must leave to the stack: every one the API's env file has, in either spelling."""

from __future__ import annotations

import pytest
from stackwright.settings.rules.application import reserved_variable_problems

from tests.support.composing import rendered
from tests.support.resolving import dev_values


def refused(name: str) -> list[tuple[str, str, str]]:
    return reserved_variable_problems(dev_values(api_environment={name: "x"}))


@pytest.mark.parametrize("delivery", ["file", "environment"])
def test_every_variable_of_the_rendered_env_file_is_reserved_with_its_file_twin(
    delivery: str,
) -> None:
    lines = rendered(dev_values(secrets_delivery=delivery))["env/api-web.env"].content.decode()
    names = {line.partition("=")[0].removesuffix("_FILE") for line in lines.splitlines()}
    assert {"DB_HOST", "DB_PASSWORD", "API_PORT", "LOG_LEVEL"} <= names
    for name in names:
        assert [problem[0] for problem in refused(name)] == [f"api_environment.{name}"]
        assert [problem[0] for problem in refused(f"{name}_FILE")] == [
            f"api_environment.{name}_FILE"
        ]


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("DB_NAME", "db_name"),
        ("DB_PASSWORD", "db_app_password"),
        ("DB_POOL_SIZE", "api_threads"),
        ("REDIS_PORT", "cache_port"),
        ("API_PORT", "api_port"),
        ("REDIS_HOST", "the stack itself"),
    ],
)
def test_the_fix_names_the_setting_to_use(name: str, decides: str) -> None:
    assert [problem[2] for problem in refused(name)] == [f"remove it: {decides} decides it"]


@pytest.mark.parametrize("name", ["GREETING", "REDIS_TIMEOUT_FILE", "db_host", "MY_DB_HOST"])
def test_other_variables_are_free(name: str) -> None:
    assert refused(name) == []


def test_a_variable_added_to_the_catalogue_is_reserved() -> None:
    values = dev_values(api_environment={"NEW_ONE": "1", "OTHER": "x"})
    values["stack_services"]["api-web"]["environment"]["NEW_ONE"] = 1
    assert reserved_variable_problems(values) == [
        (
            "api_environment.NEW_ONE",
            "is a variable that the stack gives the API itself",
            "remove it: the stack itself decides it",
        )
    ]
