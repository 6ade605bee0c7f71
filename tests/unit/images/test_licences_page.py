"""Everything that ships is in docs/licences.md, with a licence."""

from __future__ import annotations

from pathlib import Path

import pytest
from stackwright.images import licences_page
from stackwright.images.licences_page import DECLARED, LicenceError, rows

from tests.support import locks

FLASK = {"API image": {"flask": "3.1.3"}, "control side": {"flask": "3.1.3", "jinja2": "3.1.6"}}
INSTALLED = {"flask": ("3.1.3", "BSD-3-Clause"), "jinja2": ("3.1.6", "BSD License")}


def listed() -> dict[str, list[str]]:
    """The cells of each package's line in the page, by name."""
    lines = licences_page.PAGE.read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("| ")
    ]
    return {row[0]: row for row in cells if len(row) == 4}


@pytest.mark.parametrize("lock", [locks.API, locks.CONTROL, locks.POSTGRES])
def test_every_package_that_ships_is_listed_with_its_licence(lock: Path) -> None:
    page = listed()
    for name, pin in locks.pins(lock).items():
        assert name in page, f"{name} ships and is not in docs/licences.md: run `make licences`"
        assert page[name][1] == pin.version, f"{name}: run `make licences`"
        assert page[name][2] not in ("", "UNKNOWN"), name


def test_the_page_is_what_the_installed_packages_say() -> None:
    assert licences_page.PAGE.read_text(encoding="utf-8") == licences_page.page(), (
        "run `make licences`"
    )


def test_what_is_said_of_single_packages_is_said_of_packages_that_ship() -> None:
    shipped = locks.pins(locks.CONTROL).keys() | locks.pins(locks.API).keys()
    assert DECLARED.keys() <= shipped
    assert licences_page.CARRIED.keys() <= shipped


def test_places_and_licence_of_each_package() -> None:
    assert rows(FLASK, INSTALLED) == [
        ("flask", "3.1.3", "BSD-3-Clause", "API image, control side"),
        ("jinja2", "3.1.6", "BSD License", "control side"),
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (("3.1.3", "UNKNOWN"), "flask 3.1.3 names no licence"),
        (("3.1.3", ""), "flask 3.1.3 names no licence"),
        (("3.0.0", "BSD-3-Clause"), r"flask 3.1.3 is not installed here \(found: 3.0.0\)"),
    ],
)
def test_a_package_without_a_known_licence_is_refused(entry: tuple[str, str], said: str) -> None:
    with pytest.raises(LicenceError, match=said):
        rows(FLASK, INSTALLED | {"flask": entry})
    with pytest.raises(LicenceError, match="jinja2 3.1.6 is not installed here"):
        rows(FLASK, {"flask": INSTALLED["flask"]})
