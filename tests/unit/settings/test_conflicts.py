"""What environments on one host must not share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stackwright.settings.conflicts import Claims, claims_of, conflicts

from tests.support.resolving import dev_values

OWN: dict[str, Any] = {
    "api_port": 5100,
    "stack_project": "shop",
    "stack_network": "shop-network",
    "stack_container_prefix": "shop-",
    "db_volume": "shop_data",
    "stack_output_dir": "/srv/shop",
    "embedded_db_port": 15100,
    "embedded_cache_port": 25100,
    "secrets_strict": True,
    "db_password": "a long one of its own",
}


def dev() -> Claims:
    return claims_of("dev", dev_values(), "localhost", ["db_password"])


def shop(host: str = "localhost", name: str = "shop", **changes: Any) -> Claims:
    values = dev_values(**(OWN | changes))
    return claims_of(name, values, host, ["db_password"])


def said(*claims: Claims, ours: tuple[str, ...] = ("dev", "shop")) -> dict[str, list[str]]:
    found = conflicts(claims, ours)
    return {
        environment: [f"{problem.setting} {problem.reason}" for problem in problems]
        for environment, problems in found.items()
    }


def test_environments_with_everything_of_their_own_live_side_by_side() -> None:
    assert said(dev(), shop()) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stack_project": "desafio3"}, "stack_project has the same value as in dev"),
        ({"stack_network": "desafio3-network"}, "stack_network has the same value as in dev"),
        ({"db_volume": "dados_postgres"}, "db_volume has the same value as in dev"),
        ({"stack_container_prefix": ""}, "stack_container_prefix gives containers the same names as in dev"),
        ({"api_port": 5000}, "api_port takes host port 5000, as api_port does in dev"),
        ({"api_port": 15000}, "api_port takes host port 15000, as embedded_db_port does in dev"),
        ({"embedded_db_port": 5000}, "embedded_db_port takes host port 5000, as api_port does in dev"),
        ({"embedded_cache_port": 25000}, "embedded_cache_port takes host port 25000, as embedded_cache_port does in dev"),
        ({"db_password": "admin123"}, "db_password is the same as in dev"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_is_shared_is_named_for_the_environment_beside_dev(
    changes: dict[str, Any], expected: str
) -> None:
    assert said(dev(), shop(**changes)) == {"shop": [expected]}
    assert said(shop(**changes), dev()) == {"shop": [expected]}


def test_what_the_command_line_makes_collide_is_not_blamed_on_the_other() -> None:
    first = claims_of(
        "dev",
        dev_values(api_port=5100, embedded_db_port=1, embedded_cache_port=2),
        "localhost",
        ["db_password"],
        {"api_port"},
    )
    expected = {"dev": ["api_port takes host port 5100, as api_port does in shop"]}
    assert said(first, shop()) == expected
    assert said(shop(), first) == expected
    (problem,) = conflicts([first, shop()], ["dev"])["dev"]
    assert problem.where == "the command line (-e)"


def test_what_was_given_and_does_not_collide_changes_no_blame() -> None:
    first = claims_of("dev", dev_values(), "localhost", ["db_password"], {"db_volume"})
    assert said(first, shop(stack_project="desafio3")) == {
        "shop": ["stack_project has the same value as in dev"]
    }


def test_ports_of_replicas_count() -> None:
    (found,) = said(dev(), shop(api_port=4999, api_replicas=3))["shop"]
    assert found == "api_port takes host port 5000, as api_port does in dev"


def test_a_disabled_service_takes_nothing() -> None:
    values = dev_values(**OWN | {"api_port": 5000})
    values["stack_services"]["api-web"]["enabled"] = False
    assert said(dev(), claims_of("shop", values, "localhost", ["db_password"])) == {}


def test_a_services_own_volumes_and_ports_are_claimed() -> None:
    entry = {
        "enabled": True,
        "host_ports": [7000],
        "embedded_port": 7001,
        "volumes": {"queue": {"folder": "/q"}},
    }

    def claims(name: str, **changes: Any) -> Claims:
        values = dev_values(**OWN | changes)
        values["stack_services"] = {"queue": entry}
        return claims_of(name, values, "localhost", [])

    shared = {
        "api_port": 5200,
        "stack_project": "b",
        "stack_network": "b",
        "stack_output_dir": "/srv/b",
    }
    assert said(claims("shop"), claims("b", **shared), ours=("b",)) == {
        "b": [
            "volume queue of queue has the same value as in shop",
            "host_ports of queue takes host port 7000, as host_ports of queue does in shop",
            "embedded_port of queue takes host port 7001, as embedded_port of queue does in shop",
            "stack_container_prefix gives containers the same names as in shop",
        ]
    }


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("172.30.0.0/24", "172.30.0.0/24", True),
        ("172.30.0.0/16", "172.30.9.0/24", True),
        ("172.30.0.0/24", "172.30.1.0/24", False),
        ("", "", False),
        ("172.30.0.0/24", "", False),
        ("172.30.0.0/24", "172.30.0.7/99", False),
    ],
)
def test_subnets_must_not_overlap(one: str, other: str, overlap: bool) -> None:
    first = claims_of("dev", dev_values(stack_network_subnet=one), "localhost", [])
    found = said(first, shop(stack_network_subnet=other))
    assert found == (
        {"shop": ["stack_network_subnet overlaps with that of dev"]} if overlap else {}
    )


def test_one_folder_under_two_spellings_is_one_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "shop")
    first = claims_of("dev", dev_values(stack_output_dir=str(tmp_path / "shop")), "localhost", [])
    found = said(first, shop(stack_output_dir=str(tmp_path / "link")))
    assert found == {"shop": ["stack_output_dir has the same value as in dev"]}


def test_another_host_has_its_own_ports_and_names_but_not_devs_secrets() -> None:
    far = {"api_port": 5000, "stack_project": "desafio3", "host": "far.example"}
    assert said(dev(), shop(**far)) == {}
    assert said(dev(), shop(**far, db_password="admin123")) == {
        "shop": ["db_password is the same as in dev"]
    }


def test_what_is_not_known_claims_nothing_and_the_rest_is_compared() -> None:
    known = {"stack_project": "desafio3", "secrets_strict": True}
    assert said(dev(), claims_of("shop", known, "localhost", ["db_password"])) == {
        "shop": ["stack_project has the same value as in dev"]
    }
    assert said(dev(), claims_of("shop", {}, "localhost", ["db_password"])) == {}


def test_only_conflicts_of_this_runs_environments_are_told() -> None:
    one, other = shop(name="one"), shop(name="other")
    assert said(dev(), one, other, ours=("dev",)) == {}
    assert set(said(dev(), one, other, ours=("one",))) == {"other"}


def test_two_strict_environments_may_have_one_secret_and_the_claims_do_not_show_it() -> None:
    other = shop(name="other", host="far.example")
    assert said(shop(), other) == {}
    assert OWN["db_password"] not in repr(shop()) + str(shop().secrets)


def test_the_fix_names_the_environments_own_files() -> None:
    (problem,) = conflicts([dev(), shop(db_password="admin123")], ["shop"])["shop"]
    assert problem.where == "inventories/group_vars/shop/vault.yml"
    assert "`ansible-vault edit inventories/group_vars/shop/vault.yml`" in problem.fix
    assert "`make secrets ENV=shop`" in problem.fix
