"""Trees rendered from plain settings: which files there are, whose they are, and how a broken template is named."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from stackwright import layout
from stackwright.images.references import service_images
from stackwright.rendering.files import PRIVATE, PUBLIC, SECRET, RenderedFile
from stackwright.rendering.prepare import template_context
from stackwright.rendering.templates import RenderError, compile_templates, render_tree

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
    owned = {path for path, file in files.items() if file.owner is not None}
    assert owned == {"secrets/cache-redis/users.acl"}
    assert {files[path].mode for path in owned} == {SECRET}


def test_secrets_are_there_for_the_runtime_that_runs_and_one_name_in_two_services_is_two_files() -> (
    None
):
    given = {"secrets_delivery": "file", "db_app_password": "the application's"}
    in_compose = context(**given)
    files = {}
    for runtime in ("compose", "embedded"):
        tree = render_tree({**in_compose, "runtime": runtime, "embedded_user": "nobody"})
        files[runtime] = {path: file for path, file in tree.items() if path.startswith("secrets/")}
    services = {path.split("/")[1] for path in files["compose"]}
    assert services == {"banco-dados", "cache-redis", "api-web"}
    nobody = {file.owner for file in files["embedded"].values()}
    assert nobody == ({pwd.getpwnam("nobody").pw_uid} if os.geteuid() == 0 else {None})
    assert {path.replace("/", "/embedded/", 1) for path in files["compose"]} == set(
        files["embedded"]
    )
    for service in ("api-web", "banco-dados"):
        content = files["embedded"][f"secrets/embedded/{service}/db_app_password"].content
        assert content == b"the application's"


def test_partials_are_no_output() -> None:
    files = rendered(dev_values())
    assert not [path for path in files if path.startswith("services/") or path.endswith(".j2")]
    assert "service.yml" not in files


def test_a_secret_file_belongs_to_the_user_of_the_service_that_reads_it() -> None:
    files = rendered(dev_values(secrets_delivery="file"))
    owners = {path: file.owner for path, file in files.items() if file.mode == SECRET}
    assert owners["secrets/api-web/db_app_password"] == 10001
    assert owners["secrets/banco-dados/db_password"] == 999
    assert owners["secrets/cache-redis/cache_password"] == 999
    assert owners["secrets/cache-redis/users.acl"] == 999
    assert not {"secrets/cache-redis/db_password", "secrets/api-web/db_password"} & owners.keys()


def test_a_container_is_another_one_when_a_secret_it_reads_is() -> None:
    def labels(**changes: str) -> dict[str, str]:
        values = dev_values(secrets_delivery="file", cache_user="tasks_api", **changes)
        services = yaml.safe_load(rendered(values)["docker-compose.yml"].content)["services"]
        return {
            name: service["labels"]["stackwright.secrets"] for name, service in services.items()
        }

    def touched(**changes: str) -> set[str]:
        return {name for name, label in labels(**changes).items() if label != labels()[name]}

    assert touched() == set()
    assert touched(cache_password="x") == {"cache-redis", "api-web"}
    assert touched(db_password="x") == {"banco-dados"}
    assert touched(db_app_password="x") == {"banco-dados", "api-web"}
    assert touched(stack_project="another") == {"banco-dados", "cache-redis", "api-web"}
    assert len(set(labels().values())) == 3


def test_a_package_index_with_a_password_is_in_no_file_but_its_own() -> None:
    url = "https://user:swordfish@mirror.example/simple"
    files = rendered(dev_values(build_pip_index_url=url))
    assert [path for path, file in files.items() if b"swordfish" in file.content] == [
        "secrets/pip_index_url"
    ]
    assert files["secrets/pip_index_url"] == RenderedFile(url.encode(), SECRET)
    assert "secrets/pip_index_url" not in rendered(dev_values())


def test_no_recipe_takes_the_package_index_as_an_argument() -> None:
    recipes = list((layout.PROJECT / "app").rglob("Dockerfile"))
    assert len(recipes) == 7
    for recipe in recipes:
        assert "ARG PIP" not in recipe.read_text(encoding="utf-8")


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
    with pytest.raises(RenderError, match=rf"templates/{COMPOSE}:1: 'nowhere' is undefined"):
        render_tree(context(), templates)


def test_broken_syntax_is_named_with_its_line(templates: Path) -> None:
    (templates / "services/api-web.yml.j2").write_text("fine\n{% if %}\n", encoding="utf-8")
    with pytest.raises(RenderError, match=r"templates/services/api-web\.yml\.j2:2: "):
        render_tree(context(), templates)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{{ db_name | nosuchfilter }}", "No filter named 'nosuchfilter'."),
        ("{{ api_port + db_name }}", "TypeError: unsupported operand"),
        ("{{ api_port // 0 }}", "ZeroDivisionError: "),
        ("{{ stack_labels | dictsort(by='size') }}", "You can only sort by either"),
        ("{{ db_name.nowhere }}", "'str object' has no attribute 'nowhere'"),
    ],
)
def test_whatever_a_partial_raises_is_named_with_template_line_and_reason(
    templates: Path, line: str, reason: str
) -> None:
    partial = templates / "services/cache-redis.yml.j2"
    text = partial.read_text(encoding="utf-8").replace(
        "    command:\n", f"    {line}\n    command:\n"
    )
    partial.write_text(text, encoding="utf-8")
    number = text.splitlines().index(f"    {line}") + 1
    place = f"templates/services/cache-redis.yml.j2:{number}: "
    with pytest.raises(RenderError, match=re.escape(f"{place}{reason}")):
        render_tree(context(), templates)


def test_a_template_that_is_no_text_is_named(templates: Path) -> None:
    (templates / "embedded/launch.py.j2").write_bytes(b"\xff")
    with pytest.raises(RenderError, match=r"templates/embedded/launch\.py\.j2: UnicodeDecodeError"):
        render_tree(context(), templates)


def test_what_editors_leave_beside_templates_is_not_rendered(templates: Path) -> None:
    before = render_tree(context(), templates)
    (templates / "config").mkdir(exist_ok=True)
    for name in ("launch.py.j2~", ".launch.py.j2.swp", "#launch.py.j2#", "x.bak", "x.j2.orig"):
        (templates / "embedded" / name).write_bytes(b"\xff{% if %}")
        (templates / "config" / name).write_bytes(b"\xff{% if %}")
    assert render_tree(context(), templates) == before


def test_templates_compiled_beforehand_are_not_compiled_again(
    templates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_again(*_arguments: Any) -> None:
        raise AssertionError("compiled while rendering")

    compile_templates(templates)
    monkeypatch.setattr(jinja2.Environment, "compile", compile_again)
    assert render_tree(context(), templates)


def test_a_template_that_does_not_compile_is_said_when_it_is_rendered(templates: Path) -> None:
    (templates / COMPOSE).write_text("{% if %}\n", encoding="utf-8")
    compile_templates(templates)
    with pytest.raises(RenderError, match=rf"templates/{COMPOSE}:1: "):
        render_tree(context(), templates)


def test_a_missing_partial_is_named_with_the_template_that_needs_it(templates: Path) -> None:
    (templates / "services/cache-redis.yml.j2").unlink()
    needed = rf"cache-redis\.yml\.j2 is missing \(needed by templates/{COMPOSE}\)"
    with pytest.raises(RenderError, match=needed):
        render_tree(context(), templates)
