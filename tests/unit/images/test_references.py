"""The image of every service, named by what goes into it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from stackwright import layout
from stackwright.images import references
from stackwright.images.references import Image, image_of, service_images

from tests.support.project import ROOT
from tests.support.resolving import dev_values

BASES = {"python": "python:3.11-slim", "postgres": "postgres:16", "redis": "redis:7"}
BUILD = {"build": {"context": "app/api", "base": "python", "argument": "PYTHON_BASE"}}


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The build folder of the API in a project of its own."""
    shutil.copytree(
        ROOT / "app/api", tmp_path / "app/api", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(layout, "PROJECT", tmp_path)
    return tmp_path / "app/api"


def tag() -> str:
    return image_of("api-web", BUILD, "shop", BASES, {}).reference


def test_a_finished_image_and_a_base_are_taken_as_they_are() -> None:
    assert image_of("x", {"image": "adminer:4"}, "shop", BASES, {}) == Image("adminer:4")
    assert image_of("x", {"base": "redis"}, "shop", BASES, {}) == Image("redis:7")


def test_a_built_image_is_named_by_project_service_and_content() -> None:
    image = image_of("api-web", BUILD, "shop", BASES, {})
    assert re.fullmatch(r"shop-api-web:[0-9a-f]{12}", image.reference)
    assert (image.context, image.argument, image.base) == (
        "app/api",
        "PYTHON_BASE",
        "python:3.11-slim",
    )


def test_the_tag_moves_with_every_input_and_comes_back_with_it(sources: Path) -> None:
    first = tag()
    (sources / "new.py").write_text("x = 1\n", encoding="utf-8")
    second = tag()
    (sources / "new.py").unlink()
    other_base = image_of(
        "api-web", BUILD, "shop", BASES | {"python": "python:3.12-slim"}, {}
    ).reference
    assert len({first, second, other_base}) == 3
    assert tag() == first


@pytest.mark.parametrize(
    "name", ["__pycache__/x.pyc", ".mypy_cache/x.json", "src/x.pyc", ".x.py.swp"]
)
def test_what_tools_leave_behind_does_not_move_the_tag(name: str, sources: Path) -> None:
    first = tag()
    (sources / name).parent.mkdir(exist_ok=True)
    (sources / name).write_bytes(b"x")
    assert tag() == first


def test_the_revision_is_said_and_is_no_part_of_the_tag(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = image_of("api-web", BUILD, "shop", BASES, {})
    assert copied.revision == "unknown"  # the copy is no checkout
    monkeypatch.setattr(references, "revision_of", lambda folder: f"that of {folder.name}")
    committed = image_of("api-web", BUILD, "shop", BASES, {})
    assert committed.revision == "that of api"
    assert committed.reference == copied.reference


def test_other_services_do_not_move_the_tag(sources: Path) -> None:
    first = tag()
    (sources.parent / "other.txt").write_text("x", encoding="utf-8")
    assert tag() == first


@pytest.mark.parametrize(
    "changes",
    [{"build_ca_bundle": "/etc/ca.pem"}, {"build_pip_index_url": "https://mirror.example/simple"}],
)
@pytest.mark.parametrize("choice", ["registry", "distro"])
def test_what_only_carries_the_build_is_not_part_of_the_tag(
    changes: dict[str, Any], choice: str
) -> None:
    assert service_images(dev_values(), choice) == service_images(dev_values(**changes), choice)


@pytest.mark.parametrize("choice", ["registry", "distro"])
def test_bases_follow_the_choice(choice: str) -> None:
    images = service_images(dev_values(), choice)
    stand_ins = [
        name for name, image in images.items() if "localhost/" in image.reference + image.base
    ]
    assert stand_ins == ([] if choice == "registry" else list(images))


def test_only_enabled_services_have_images() -> None:
    services = dev_values()["stack_services"]
    values = dev_values(
        stack_services=services | {"cache-redis": services["cache-redis"] | {"enabled": False}}
    )
    assert "cache-redis" not in service_images(values, "registry")
