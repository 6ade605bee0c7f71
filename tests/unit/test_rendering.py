"""Trees rendered from plain settings: which files there are, whose they are, and how a broken template is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from stackwright import layout
from stackwright.images import service_images
from stackwright.rendering import (
    PRIVATE,
    PUBLIC,
    SECRET,
    RenderError,
    render_tree,
    template_context,
)

from tests.support.composing import rendered
from tests.support.resolving import dev_values

COMPOSE = "docker-compose.yml.j2"


def context(**changes: Any) -> dict[str, Any]:
    values = dev_values(**changes)
    return template_context(values, service_images(values, "registry"))


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """The project's templates, to be broken."""
    return Path(shutil.copytree(layout.TEMPLATES, tmp_path / "templates"))


def test_only_the_compose_file_is_for_everybody() -> None:
    files = rendered(dev_values())
    assert {path for path, file in files.items() if file.mode == PUBLIC} == {"docker-compose.yml"}
    assert {file.mode for path, file in files.items() if path.startswith("env/")} == {PRIVATE}
    assert all(file.owner is None for file in files.values())


def test_partials_are_no_output() -> None:
    files = rendered(dev_values())
    assert not [path for path in files if path.startswith("services/") or path.endswith(".j2")]
    assert "service.yml" not in files


def test_a_secret_file_belongs_to_the_user_of_the_service_that_reads_it() -> None:
    files = rendered(dev_values(secrets_delivery="file"))
    owners = {path: file.owner for path, file in files.items() if file.mode == SECRET}
    assert owners["secrets/api-web/db_password"] == 10001
    assert owners["secrets/banco-dados/db_password"] == 999
    assert "secrets/cache-redis/db_password" not in owners


def test_a_disabled_service_leaves_no_files() -> None:
    services = dev_values()["stack_services"]
    services = services | {"api-web": services["api-web"] | {"enabled": False}}
    files = rendered(dev_values(stack_services=services))
    assert "env/api-web.env" not in files
    assert "env/banco-dados.env" in files
    assert b"api-web" not in files["docker-compose.yml"].content


def test_the_same_settings_are_the_same_bytes_whatever_the_order_of_mappings() -> None:
    one = rendered(
        dev_values(api_environment={"A": "1", "B": "2"}, stack_labels={"a": "1", "b": "2"})
    )
    two = rendered(
        dev_values(api_environment={"B": "2", "A": "1"}, stack_labels={"b": "2", "a": "1"})
    )
    assert one == two


@pytest.mark.parametrize("line", ["{{ nowhere }}", "{% if nowhere %}{% endif %}"])
def test_an_undefined_name_is_an_error_that_names_template_and_variable(
    templates: Path, line: str
) -> None:
    (templates / COMPOSE).write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(RenderError, match=rf"templates/{COMPOSE}: .*'nowhere' is undefined"):
        render_tree(context(), templates)


def test_broken_syntax_is_named_with_its_line(templates: Path) -> None:
    (templates / "services/api-web.yml.j2").write_text("fine\n{% if %}\n", encoding="utf-8")
    with pytest.raises(RenderError, match=r"templates/services/api-web\.yml\.j2:2: "):
        render_tree(context(), templates)


def test_a_missing_partial_is_named_with_the_template_that_needs_it(templates: Path) -> None:
    (templates / "services/cache-redis.yml.j2").unlink()
    needed = rf"cache-redis\.yml\.j2 is missing \(needed by templates/{COMPOSE}\)"
    with pytest.raises(RenderError, match=needed):
        render_tree(context(), templates)
