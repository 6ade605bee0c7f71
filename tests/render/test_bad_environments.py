"""Environments that are refused as a whole: names, groups and hosts, and settings written where they do not count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stackwright.settings.problems import RefusedError
from stackwright.settings.resolve import Resolution

from tests.render.bad_settings import FINE
from tests.support.project import ROOT
from tests.support.resolving import look

LOCAL = {"ansible_connection": "local"}


def look_at(folder: Path, groups: dict[str, object], settings: str = FINE) -> dict[str, Resolution]:
    """An inventory of ``groups``, each with ``settings`` in its group_vars folder."""
    group_vars = folder / "group_vars"
    group_vars.mkdir()
    (group_vars / "all").symlink_to(ROOT / "inventories/group_vars/all")
    for name in groups:
        if "/" not in name:
            (group_vars / name).mkdir()
            (group_vars / name / "main.yml").write_text(settings, encoding="utf-8")
    (folder / "inventory.yml").write_text(json.dumps(groups), encoding="utf-8")
    return look(folder / "inventory.yml")


def said(resolution: Resolution) -> str:
    return str(RefusedError(resolution.environment, resolution.problems))


@pytest.mark.parametrize("name", ["shop", "s", "shop_eu_2", "a" * 30])
def test_a_plain_name_is_fine(name: str, tmp_path: Path) -> None:
    assert look_at(tmp_path, {name: {"hosts": {"x-host": LOCAL}}})["x"].problems == []


@pytest.mark.parametrize(
    "name",
    [
        "Shop",
        "shop-eu",
        "../shop",
        "a/b",
        "shop eu",
        "2shop",
        "_shop",
        "a" * 31,
        "loja_ã",
        "shop\n",
    ],
)
def test_a_bad_name_is_the_one_thing_said_about_the_environment(name: str, tmp_path: Path) -> None:
    seen = look_at(tmp_path, {name: {"hosts": {"x-host": LOCAL}}})["x"]
    (problem,) = seen.problems
    assert problem.setting == "stack_environment"
    assert problem.reason == "has a form that is not allowed"
    assert problem.fix.startswith("rename the group; allowed is lower-case letters")
    assert problem.where.endswith("inventory.yml")


def test_a_host_in_two_groups_has_no_environment(tmp_path: Path) -> None:
    seen = look_at(
        tmp_path, {"one": {"hosts": {"x-host": LOCAL}}, "two": {"hosts": {"x-host": {}}}}
    )["x"]
    assert "host x-host is in 2 groups, and its group names the environment" in said(seen)
    assert "put the host into exactly one group named after the environment" in said(seen)


def test_a_host_without_a_group_has_no_environment(tmp_path: Path) -> None:
    seen = look_at(tmp_path, {"ungrouped": {"hosts": {"x-host": LOCAL}}})["x"]
    assert "host x-host is in 0 groups" in said(seen)


def test_two_hosts_in_a_group_are_no_environment(tmp_path: Path) -> None:
    seen = look_at(tmp_path, {"shop": {"hosts": {"x-host": LOCAL, "y-host": LOCAL}}})
    for host in ("x", "y"):
        assert "group shop has 2 hosts (x-host, y-host), and an environment has one" in said(
            seen[host]
        )
        assert "give each host a group of its own" in said(seen[host])


def test_a_host_may_not_carry_its_groups_name(tmp_path: Path) -> None:
    seen = look_at(tmp_path, {"shop": {"hosts": {"shop": LOCAL}}})["shop"]
    assert "host shop carries its group's name, which hides the group's variables" in said(seen)


def test_a_setting_among_an_inventorys_group_variables_is_refused_since_it_has_no_effect(
    tmp_path: Path,
) -> None:
    seen = look_at(tmp_path, {"shop": {"vars": {"api_port": 5044}, "hosts": {"x-host": LOCAL}}})[
        "x"
    ]
    (problem,) = seen.problems
    assert problem.setting == "api_port"
    assert "has no effect there" in problem.reason
    assert problem.fix == "move it to inventories/group_vars/shop/"
    assert problem.where.endswith("inventory.yml:1")


def test_a_setting_of_the_host_itself_counts(tmp_path: Path) -> None:
    seen = look_at(tmp_path, {"shop": {"hosts": {"x-host": {**LOCAL, "api_port": 5044}}}})["x"]
    assert seen.problems == []
    assert seen.values["api_port"] == 5044


class TestCommandLine:
    """-e beats every file; its values are text unless given as JSON."""

    @pytest.fixture
    def inventory(self, tmp_path: Path) -> Path:
        look_at(tmp_path, {"shop": {"hosts": {"x-host": LOCAL}}})
        return tmp_path / "inventory.yml"

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("api_port", "5044", 5044),
            ("api_port", 5044, 5044),
            ("api_cpus", "0.5", 0.5),
            ("api_cpus", "2", 2.0),
            ("render_overwrite_edits", "true", True),
            ("render_overwrite_edits", "False", False),
            ("db_name", "shop", "shop"),
            ("stack_labels", {"team": "x"}, {"team": "x"}),
        ],
    )
    def test_text_is_read_as_what_the_setting_takes(
        self, name: str, text: object, value: object, inventory: Path
    ) -> None:
        seen = look(inventory, extra={name: text})["x"]
        assert seen.problems == []
        assert seen.values[name] == value

    def test_derived_settings_follow(self, inventory: Path) -> None:
        values = look(inventory, extra={"api_port": "5044"})["x"].values
        assert values["embedded_db_port"] == 15044
        assert values["stack_services"]["api-web"]["host_ports"] == [5044]

    @pytest.mark.parametrize(
        ("name", "text", "reason"),
        [
            ("api_port", "0123", "is text where integer is needed"),
            ("api_port", "0:80", "is text where integer is needed"),
            ("api_port", "", "is empty"),
            ("api_port", "70000", "is too large"),
            ("api_cpus", float("nan"), "is no finite number"),
            ("secrets_strict", "yes", "is text where boolean is needed"),
            ("api_prot", "5044", "is no setting"),
            ("api_environment", {"A": "\ud83d"}, "contains half of a surrogate pair"),
        ],
    )
    def test_a_bad_value_is_refused_and_the_place_is_the_command_line(
        self, name: str, text: object, reason: str, inventory: Path
    ) -> None:
        (problem,) = look(inventory, extra={name: text})["x"].problems
        assert (problem.setting, problem.where) == (name, "the command line (-e)")
        assert reason in problem.reason


@pytest.mark.parametrize("text", ["{{ 7*7 }}", "{% raw %}", "${HOME}", "$(id)", "`id`", "{{", "%}"])
def test_unsafe_text_stays_literal(text: str, tmp_path: Path) -> None:
    settings = f"{FINE}api_environment: {{A: !unsafe {json.dumps(text)}}}\n"
    seen = look_at(tmp_path, {"shop": {"hosts": {"x-host": LOCAL}}}, settings)["x"]
    assert seen.problems == []
    assert seen.values["api_environment"] == {"A": text}
