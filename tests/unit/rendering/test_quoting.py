"""Texts written as YAML and env values; tests/render/test_values asks Compose about the same."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from stackwright.rendering.quoting import compose_scalar, env_value, yaml_scalar

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


@settings(deadline=None, max_examples=300)
@given(DATA)
def test_any_data_survives_yaml_on_one_line(value: Any) -> None:
    written = yaml_scalar(value)
    assert len(written.splitlines()) == 1
    assert yaml.safe_load(written) == value
    assert yaml.safe_load(f"a:\n  b: {written}\n  c: 1\n") == {"a": {"b": value, "c": 1}}


@settings(deadline=None, max_examples=300)
@given(DATA)
def test_for_compose_every_dollar_of_a_value_is_doubled(value: Any) -> None:
    if isinstance(value, str):
        assert yaml.safe_load(compose_scalar(value)) == value.replace("$", "$$")
    assert compose_scalar(value).count("$") >= yaml_scalar(value).count("$")


def test_keys_keep_their_dollars_since_compose_interpolates_only_values() -> None:
    assert compose_scalar({"a$b": ["c$d"]}) == '{"a$b": ["c$$d"]}'


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain-1.5/x:y@z", "plain-1.5/x:y@z"),
        ("", ""),
        (5000, "5000"),
        ("a b", "'a b'"),
        ("p$word #x", "'p$word #x'"),
        ("it's $5", '"it\'s \\$5"'),
        ('say "hi"', "'say \"hi\"'"),
        ("back\\slash", '"back\\\\slash"'),
        ("ção", "'ção'"),
    ],
)
def test_an_env_value_is_quoted_only_where_it_must_be(value: Any, written: str) -> None:
    assert env_value(value) == written
