"""Start order of the services."""

from __future__ import annotations

from typing import Any

import pytest
from stackwright.settings.catalogue import start_order


def services(**needs: list[str]) -> dict[str, dict[str, Any]]:
    return {name: {"needs": needed, "enabled": True} for name, needed in needs.items()}


def test_services_start_after_those_they_need() -> None:
    assert start_order(services(web=["db", "cache"], worker=["web"], db=[], cache=[])) == [
        "db",
        "cache",
        "web",
        "worker",
    ]


def test_independent_services_keep_the_order_of_the_catalogue() -> None:
    assert start_order(services(zeta=[], alpha=[], mid=[])) == ["zeta", "alpha", "mid"]


def test_disabled_services_are_left_out() -> None:
    catalogue = services(db=[], extra=[])
    catalogue["extra"]["enabled"] = False
    assert start_order(catalogue) == ["db"]


def test_a_circle_is_named() -> None:
    with pytest.raises(ValueError, match=r"(a → b → a|b → a → b)"):
        start_order(services(a=["b"], b=["a"]))
