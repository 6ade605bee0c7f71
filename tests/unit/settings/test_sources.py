"""Where a setting is written: always the place whose value Ansible takes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from ansible._internal._datatag._tags import Origin
from ansible.parsing.dataloader import DataLoader
from stackwright.settings.sources import Sources

from tests.render.bad_settings import FINE
from tests.support.project import ROOT, encrypted
from tests.support.resolving import look

# Every place that may set api_port, each with a value of its own.
PLACES = {
    "group_vars/all/api.yml": 5000,
    "group_vars/shop/b.yml": 5002,
    "group_vars/shop/a": 5001,
    "group_vars/shop/more/c.json": 5003,
    "host_vars/shop-host.yml": 5004,
    "host": 5005,
}


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def inventory(
    folder: Path, host: dict[str, object], group: dict[str, object] | None = None
) -> Path:
    content = {"shop": {"hosts": {"shop-host": host}, "vars": group or {}}}
    write(folder, "shop.yml", json.dumps(content))
    return folder / "shop.yml"


def sources(folder: Path, extra: set[str] | None = None) -> Sources:
    return Sources(folder / "shop.yml", "shop", "shop-host", extra or set(), folder)


@pytest.mark.parametrize(
    "places",
    [chosen for size in range(4) for chosen in itertools.combinations(list(PLACES)[1:], size)],
    ids=lambda places: "+".join(places) or "default",
)
def test_the_place_named_is_the_one_whose_value_ansible_takes(
    places: tuple[str, ...], tmp_path: Path
) -> None:
    for path in sorted((ROOT / "inventories/group_vars/all").iterdir()):
        write(tmp_path, f"group_vars/all/{path.name}", path.read_text(encoding="utf-8"))
    write(tmp_path, "group_vars/shop/fine.yml", FINE)
    for place in places:
        if place != "host":
            write(tmp_path, place, json.dumps({"api_port": PLACES[place]}))
    inventory(tmp_path, {"api_port": PLACES["host"]} if "host" in places else {})

    taken = look(tmp_path / "shop.yml")["shop"].values["api_port"]
    source = sources(tmp_path).find("api_port")
    assert source is not None
    assert int(source.text) == taken
    named = (
        "shop.yml"
        if taken == PLACES["host"]
        else next(name for name, port in PLACES.items() if port == taken)
    )
    assert str(source.path.relative_to(tmp_path)) == named


def test_a_folder_hides_the_file_of_its_name_as_it_does_for_ansible(tmp_path: Path) -> None:
    inventory(tmp_path, {})
    write(tmp_path, "group_vars/shop.yml", "api_port: 1\n")
    assert sources(tmp_path).where("api_port", "nowhere") == "group_vars/shop.yml:1"
    write(tmp_path, "group_vars/shop/main.yml", "\napi_port: 2\n")
    assert sources(tmp_path).where("api_port", "nowhere") == "group_vars/shop/main.yml:2"


@pytest.mark.parametrize("name", [".main.yml", "main.yml~", "main.txt", "more.d/main.yml"])
def test_files_that_ansible_does_not_read_are_no_places(name: str, tmp_path: Path) -> None:
    inventory(tmp_path, {})
    write(tmp_path, f"group_vars/shop/{name}", "api_port: 1\n")
    assert sources(tmp_path).find("api_port") is None


def test_only_the_top_level_of_a_file_holds_settings(tmp_path: Path) -> None:
    inventory(tmp_path, {})
    write(tmp_path, "group_vars/shop/main.yml", "api_environment:\n  api_port: '1'\n")
    assert sources(tmp_path).find("api_port") is None


def test_other_environments_of_the_inventory_are_left_alone(tmp_path: Path) -> None:
    content = {
        "shop": {"hosts": {"shop-host": {}}},
        "other": {"hosts": {"other-host": {"api_port": 1}}, "vars": {"db_port": 2}},
    }
    write(tmp_path, "shop.yml", json.dumps(content))
    assert sources(tmp_path).find("api_port") is None
    assert sources(tmp_path).find("db_port") is None


def test_group_variables_of_the_inventory_are_the_weakest_place(tmp_path: Path) -> None:
    inventory(tmp_path, {}, {"api_port": 1})
    assert sources(tmp_path).where("api_port", "nowhere") == "shop.yml:1"
    write(tmp_path, "group_vars/all.yml", "api_port: 2\n")
    assert sources(tmp_path).where("api_port", "nowhere") == "group_vars/all.yml:1"


def test_the_command_line_beats_every_file_and_an_unset_name_has_the_default_place(
    tmp_path: Path,
) -> None:
    inventory(tmp_path, {"api_port": 1})
    assert sources(tmp_path, {"api_port"}).where("api_port", "nowhere") == "the command line (-e)"
    assert sources(tmp_path).where("db_port", "nowhere") == "nowhere"


def test_an_encrypted_file_is_no_readable_place(tmp_path: Path) -> None:
    inventory(tmp_path, {})
    write(tmp_path, "group_vars/shop/vault.yml", encrypted("vault_db_password: x\n"))
    assert sources(tmp_path).find("vault_db_password") is None


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("plain", True),
        ("'{{ vault_x }}'", False),
        ("!unsafe '{{ text }}'", True),
        ("!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  00", False),
    ],
)
def test_what_anybody_can_read_in_the_file(text: str, readable: bool, tmp_path: Path) -> None:
    inventory(tmp_path, {})
    write(tmp_path, "group_vars/shop.yml", f"db_password: {text}\n")
    source = sources(tmp_path).find("db_password")
    assert source is not None
    assert source.is_readable is readable


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        *(
            (text, False)
            for text in (
                "5000",
                "-1",
                "0",
                "0.5",
                "'0123'",
                "'56:22'",
                "text",
                "yes",
                "[1, 2]",
                "1e3",
            )
        ),
        *(
            (text, True)
            for text in ("56:22", "0123", "0x10", "1_000", "+5", ".inf", ".nan", "1:30.5", "0b1")
        ),
        *((text, True) for text in ("[1, 010]", "{a: {b: 0x1}}", "{a: [{b: 1_0}]}")),
    ],
)
def test_numbers_that_yaml_reads_differently_than_people(
    text: str, odd: bool, tmp_path: Path
) -> None:
    inventory(tmp_path, {})
    write(tmp_path, "group_vars/shop.yml", f"api_port: {text}\n")
    source = sources(tmp_path).find("api_port")
    assert source is not None
    assert source.odd_number is odd


@pytest.mark.parametrize("text", ["a: yes\n", "a:\n", '{"a": 1}'])
def test_ansibles_own_origin_still_does_not_place_every_value(text: str, tmp_path: Path) -> None:
    """Where this fails, Ansible can say what Sources finds out by itself."""
    path = tmp_path / "main.yml"
    path.write_text(text)
    origin = Origin.get_tag(DataLoader().load_from_file(str(path))["a"])
    assert origin is None or origin.line_num is None


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    inventory(tmp_path, {})
    write(tmp_path, "group_vars/shop.yml", "api_port: 1\n")
    assert sources(tmp_path).where("api_port", "") == "group_vars/shop.yml:1"
    write(tmp_path, "group_vars/shop.yml", "\n\napi_port: 1\n")
    assert sources(tmp_path).where("api_port", "") == "group_vars/shop.yml:3"
