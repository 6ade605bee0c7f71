"""Where base images come from, and what the stand-ins are called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stackwright.base_images import choose_base_images, official, registry_answers, stand_ins

MIRROR = "http://deb.debian.org/debian"
VALUES = {
    "base_images": "auto",
    "python_base_image": "python:3.11-slim",
    "postgres_base_image": "postgres:16",
    "redis_base_image": "redis:7",
    "image_digests": {},
    "registry_timeout_seconds": 3,
    "debian_mirror": MIRROR,
}
STAND_INS = {reference for kind, reference in stand_ins(MIRROR).items() if kind != "debian"}


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
        (set(official(VALUES).values()), "registry"),
        (STAND_INS, "distro"),
        (STAND_INS | set(official(VALUES).values()), "registry"),
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
