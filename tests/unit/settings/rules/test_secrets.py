"""What counts as a weak secret; the whole way from files is walked in tests/render/test_bad_secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stackwright import layout
from stackwright.settings.problems import Problem
from stackwright.settings.rules.secrets import secret_problems
from stackwright.settings.schema import load_schema
from stackwright.settings.sources import Sources

from tests.support.resolving import dev_values

NOWHERE = Sources(Path("/nowhere/shop.yml"), "shop", "shop-host", set(), Path("/nowhere"))
ALPHABET = "ABCDEFGHJKLMNPQRTUVWXYZabcdefghjkmnpqrtuvwxyz23456789+/="


def problems(secret: str, strict: bool = True) -> list[Problem]:
    schema = {"db_password": load_schema(layout.DEFAULTS)["db_password"]}
    values = dev_values(db_password=secret, secrets_strict=strict)
    return secret_problems(schema, values, NOWHERE)


@pytest.mark.parametrize(
    "secret",
    [
        *(
            "",
            "x",
            "admin123",
            "changeme",
            "fifteen-letters",
            "passwordpassword",
            "Password123456!!",
        ),
        *(
            "CHANGEME-changeme-1",
            "postgres-admin-postgres",
            "1234561234561234",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        *("abababababababababab", "                    ", "defaultdefaultexample"),
    ],
)
def test_weak_secrets_are_refused_only_where_secrets_are_strict(secret: str) -> None:
    (problem,) = problems(secret)
    assert problem.setting == "db_password"
    assert len(secret.strip()) < 6 or secret not in str(problem)
    assert problems(secret, strict=False) == []


@pytest.mark.parametrize(
    "secret", ["kT7hQ2vNx8RbYw4L", "correct horse battery staple", "senha-ção-日本語-🔑-xyz-1"]
)
def test_long_and_unlikely_secrets_are_accepted(secret: str) -> None:
    assert problems(secret) == []


@given(st.text(ALPHABET, min_size=32, max_size=64).filter(lambda text: len(set(text)) >= 12))
def test_random_secrets_of_the_size_that_is_advised_are_accepted(secret: str) -> None:
    assert problems(secret) == []
