"""Rendered Compose files are refused when Compose would not take them."""

from __future__ import annotations

import subprocess

import pytest
from stackwright.rendering import compose_file
from stackwright.rendering.compose_file import (
    ComposeFileError,
    check_schema,
    check_with_compose,
    compose_command,
)
from stackwright.rendering.files import RenderedFile

from tests.support.composing import rendered
from tests.support.resolving import dev_values

SERVICE = b"services:\n  api:\n    image: x\n"


def files(compose: bytes, **more: bytes) -> dict[str, RenderedFile]:
    return {"docker-compose.yml": RenderedFile(compose)} | {
        f"env/{name}.env": RenderedFile(content) for name, content in more.items()
    }


def test_what_is_shipped_passes_both_checks() -> None:
    shipped = rendered(dev_values())
    document = check_schema(shipped["docker-compose.yml"].content)
    assert set(document["services"]) == {"banco-dados", "cache-redis", "api-web"}
    check_with_compose(shipped)


def test_no_yaml_is_refused_with_the_line() -> None:
    with pytest.raises(ComposeFileError, match=r"docker-compose\.yml line 4 is no YAML"):
        check_schema(SERVICE + b"   wrong: : :\n")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b"    privilegd: true\n", "services.api"),
        (b"    ports: 80\n", "services.api.ports"),
        (b"    restart: [x]\n", "services.api.restart"),
    ],
)
def test_what_does_not_fit_the_specification_is_refused_with_its_place(
    line: bytes, place: str
) -> None:
    with pytest.raises(ComposeFileError, match=rf"{place} does not fit the Compose specification"):
        check_schema(SERVICE + line)


@pytest.mark.parametrize(
    ("compose", "reason"),
    [
        (SERVICE + b"    depends_on: [ghost]\n", "ghost"),
        (SERVICE + b"    networks: [ghost]\n", "ghost"),
        (SERVICE + b"    env_file: [./env/ghost.env]\n", "ghost.env"),
        (SERVICE + b'    ports: ["0.0.0.0:70000:80"]\n', "70000"),
    ],
)
def test_what_only_compose_sees_is_refused_in_its_own_words(compose: bytes, reason: str) -> None:
    check_schema(compose)
    with pytest.raises(
        ComposeFileError, match=f"(?s)Compose refuses docker-compose.yml: .*{reason}"
    ) as refused:
        check_with_compose(files(compose))
    assert "/tmp" not in str(refused.value)


def test_env_files_are_read_too() -> None:
    compose = SERVICE + b"    env_file: [./env/api.env]\n"
    check_with_compose(files(compose, api=b"A='fine'\n"))
    with pytest.raises(ComposeFileError):
        check_with_compose(files(compose, api=b"A='open\n"))


def test_the_packaged_compose_is_preferred_and_works_without_an_engine() -> None:
    command = compose_command()
    done = subprocess.run(
        [*command, "version", "--short"], capture_output=True, text=True, check=True
    )
    assert done.stdout.lstrip("v").startswith("2.")


def test_without_any_compose_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_file, "compose_command", list)
    check_with_compose(files(SERVICE + b"    depends_on: [ghost]\n"))


def test_a_compose_that_hangs_is_an_error_and_no_endless_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compose_file, "compose_command", lambda: ["sh", "-c", "sleep 60"])
    monkeypatch.setattr(compose_file, "CONFIG_SECONDS", 0.2)
    with pytest.raises(ComposeFileError, match="did not end within"):
        check_with_compose(files(SERVICE))
