"""Where base images come from, and what the stand-ins are called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stackwright.images.references import (
    choose_base_images,
    official,
    registry_answers,
    stand_ins,
    used_kinds,
)

MIRROR = "http://deb.debian.org/debian"
VALUES = {
    "base_images": "auto",
    "python_base_image": "python:3.11-slim",
    "postgres_base_image": "postgres:16",
    "redis_base_image": "redis:7",
    "image_digests": {},
    "caddy_base_image": "caddy:2.11",
    "stack_services": {
        "a": {"enabled": True, "base": "redis"},
        "b": {"enabled": True, "build": {"base": "postgres"}},
        "c": {"enabled": False, "build": {"base": "caddy"}},
    },
    "registry_timeout_seconds": 3,
    "debian_mirror": MIRROR,
}
USED = ("python", "postgres", "redis")
STAND_INS = {stand_ins(MIRROR)[kind] for kind in USED}
OFFICIAL = {official(VALUES)[kind] for kind in USED}


def nothing(references: list[str]) -> set[str]:
    return set()


@pytest.mark.parametrize("wanted", ["registry", "distro"])
def test_what_the_setting_asks_for_is_not_questioned(wanted: str) -> None:
    choice, reason = choose_base_images(
        {**VALUES, "base_images": wanted}, nothing, lambda image, seconds: False
    )
    assert (choice, reason) == (wanted, "asked for by base_images")


@pytest.mark.parametrize(
    ("there", "choice"),
    [
        (OFFICIAL, "registry"),
        (STAND_INS, "distro"),
        (STAND_INS | OFFICIAL, "registry"),
    ],
)
def test_a_complete_set_on_this_machine_is_used_without_asking(
    there: set[str], choice: str
) -> None:
    asked: list[str] = []

    def answers(image: str, seconds: int) -> bool:
        asked.append(image)
        return True

    assert choose_base_images(VALUES, lambda wanted: there & set(wanted), answers)[0] == choice
    assert asked == []


def test_an_incomplete_set_does_not_count() -> None:
    there = set(list(STAND_INS)[:2])
    assert (
        choose_base_images(VALUES, lambda wanted: there, lambda image, seconds: True)[0]
        == "registry"
    )


@pytest.mark.parametrize(("answered", "choice"), [(True, "registry"), (False, "distro")])
def test_else_the_registry_is_asked_for_as_long_as_the_setting_says(
    answered: bool, choice: str
) -> None:
    asked: list[tuple[str, int]] = []

    def answers(image: str, seconds: int) -> bool:
        asked.append((image, seconds))
        return answered

    name, reason = choose_base_images(VALUES, nothing, answers)
    assert name == choice
    assert "python:3.11-slim" in reason
    assert asked == [("python:3.11-slim", 3)]


def test_stand_ins_never_pose_as_images_of_a_registry() -> None:
    for kind, reference in stand_ins(MIRROR).items():
        assert re.fullmatch(rf"localhost/stackwright-{kind}:[a-z0-9.]+-[0-9a-f]{{12}}", reference)


def test_the_mirror_is_part_of_every_stand_in() -> None:
    one, other = stand_ins(MIRROR), stand_ins("http://mirror.example/debian")
    assert all(one[kind] != other[kind] for kind in one)
    assert stand_ins(MIRROR) == one


def test_a_registry_that_hangs_or_a_client_that_is_missing_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not registry_answers("x:1", 1)
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    client.chmod(0o755)
    assert not registry_answers("x:1", 0)
    client.write_text("#!/bin/sh\nexit 0\n")
    assert registry_answers("x:1", 5)


def test_an_environment_needs_the_kinds_that_its_services_use() -> None:
    assert used_kinds(VALUES["stack_services"]) == ["python", "postgres", "redis"]
    assert used_kinds({}) == ["python"]
    services = VALUES["stack_services"] | {"c": {"enabled": True, "build": {"base": "caddy"}}}
    wanted: list[str] = []

    def present(references: list[str]) -> set[str]:
        wanted.extend(references)
        return set()

    choose_base_images(VALUES | {"stack_services": services}, present, lambda image, seconds: False)
    assert {"caddy:2.11", stand_ins(MIRROR)["caddy"]} < set(wanted)
