"""Ansible's variables of a host become the plain settings of one environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stackwright.settings.resolve import Resolution, environment_of, plain

from tests.render.bad_settings import FINE
from tests.support.project import ROOT, inventory_of
from tests.support.resolving import look


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """An inventory whose one environment, shop, has no settings of its own yet."""
    (tmp_path / "group_vars/shop").mkdir(parents=True)
    (tmp_path / "group_vars/all").symlink_to(ROOT / "inventories/group_vars/all")
    (tmp_path / "shop.yml").write_text(inventory_of(["shop"]), encoding="utf-8")
    return tmp_path


def with_settings(shop: Path, settings: str) -> Resolution:
    (shop / "group_vars/shop/main.yml").write_text(FINE + settings, encoding="utf-8")
    return look(shop / "shop.yml")["shop"]


def test_every_name_is_derived_from_the_environments(shop: Path) -> None:
    values = with_settings(shop, "").values
    assert values["stack_environment"] == "shop"
    assert values["stack_project"] == "desafio3-shop"
    assert values["stack_network"] == "desafio3-shop-network"
    assert values["stack_container_prefix"] == "shop-"
    assert values["db_volume"] == "shop_dados_postgres"
    assert values["stack_output_dir"] == str(ROOT / "generated/shop")


def test_dev_keeps_the_names_of_the_seed() -> None:
    values = look(ROOT / "inventories/dev.yml")["dev"].values
    assert values["stack_project"] == "desafio3"
    assert values["stack_network"] == "desafio3-network"
    assert values["stack_container_prefix"] == ""
    assert values["db_volume"] == "dados_postgres"
    assert (values["db_name"], values["db_user"], values["db_password"]) == (
        "tasks_db",
        "admin",
        "admin123",
    )
    assert (values["api_port"], values["cache_ttl_seconds"]) == (5000, 60)


def plain_types(value: Any) -> set[type]:
    if isinstance(value, dict):
        return {type(value)}.union(*(plain_types(item) for pair in value.items() for item in pair))
    if isinstance(value, list):
        return {type(value)}.union(*(plain_types(item) for item in value))
    return {type(value)}


def test_the_result_is_plain_data_that_nothing_templates_again(shop: Path) -> None:
    settings = 'api_environment: {A: !unsafe "{{ 7*7 }}"}\nstack_labels: {a: "{{ 7*7 }}x"}\n'
    values = with_settings(shop, settings).values
    assert values["api_environment"] == {"A": "{{ 7*7 }}"}
    assert values["stack_labels"] == {"a": "49x"}
    assert plain_types(values) == {dict, list, str, int, float, bool}


@pytest.mark.parametrize(
    "value", ["text", 1, 1.5, True, None, [1, ["a"]], {"a": {"b": [None]}}, "\U0001f600"]
)
def test_plain_copies_equal_their_originals(value: Any) -> None:
    assert plain(value) == value
    assert type(plain(value)) is type(value)


def test_all_problems_are_told_at_once(shop: Path) -> None:
    seen = with_settings(shop, "api_port: 0\ndb_name: ''\napi_prot: 1\nstack_labels: 5\n")
    assert {problem.setting for problem in seen.problems} == {
        "api_port",
        "db_name",
        "api_prot",
        "stack_labels",
    }


def test_refused_settings_are_no_values_and_good_ones_are(shop: Path) -> None:
    seen = with_settings(shop, "api_port: 0\ndb_name: shop\n")
    assert seen.values["db_name"] == "shop"
    assert "api_port" not in seen.values


def test_what_is_only_derived_from_a_refused_setting_is_not_named(shop: Path) -> None:
    (problem,) = with_settings(shop, "api_port: many\n").problems
    assert problem.setting == "api_port"


def test_two_settings_that_use_each_other_are_both_named(shop: Path) -> None:
    seen = with_settings(
        shop, 'db_volume: "{{ stack_network }}"\nstack_network: "{{ db_volume }}"\n'
    )
    assert {problem.setting for problem in seen.problems} == {"db_volume", "stack_network"}


def test_variables_that_are_no_settings_pass_only_under_the_free_prefixes(shop: Path) -> None:
    assert with_settings(shop, "vault_other: x\n_own: y\nansible_user: z\n").problems == []
    (problem,) = with_settings(shop, "own: y\n").problems
    assert problem.setting == "own"


@pytest.mark.parametrize("groups", [["shop"], ["shop", "ungrouped"]])
def test_the_environment_is_the_hosts_one_group(groups: list[str]) -> None:
    assert environment_of({"inventory_hostname": "a", "group_names": groups}) == "shop"
