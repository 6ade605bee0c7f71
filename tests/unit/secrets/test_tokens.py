"""The API's tokens as settings: a secret for each name, and rules that name what is wrong."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from stackwright.secrets.masking import MASK, Masker
from stackwright.secrets.tokens import token_file, token_files
from stackwright.settings.problems import RefusedError
from stackwright.settings.resolve import Resolution

from tests.support.project import ROOT, encrypted, good_vault
from tests.support.resolving import look

TOKEN = "xK9-good-enough-4711"
TWO = "{ops: admin, ci: write}"


def resolved(tmp_path: Path, settings: str, tokens: dict[str, str], plain: str = "") -> Resolution:
    """The environment shop with these settings, and in its vault these tokens and other good secrets."""
    folder = tmp_path / "group_vars"
    (folder / "shop").mkdir(parents=True)
    (folder / "all").symlink_to(ROOT / "inventories/group_vars/all")
    vault = good_vault(tokens=tokens)
    (folder / "shop/main.yml").write_text(f"---\n{settings}\n{plain}\n", encoding="utf-8")
    (folder / "shop/vault.yml").write_text(encrypted(vault), encoding="utf-8")
    (tmp_path / "shop.yml").write_text('{"shop": {"hosts": {"shop-host": {}}}}', encoding="utf-8")
    return look(tmp_path / "shop.yml")["shop"]


def test_each_name_has_a_secret_that_the_api_reads(tmp_path: Path) -> None:
    seen = resolved(
        tmp_path, f"api_auth: token\napi_tokens: {TWO}", {"ops": TOKEN, "ci": f"{TOKEN}-ci"}
    )
    assert seen.problems == []
    secrets = {"api_token_ops": TOKEN, "api_token_ci": f"{TOKEN}-ci"}
    assert {name: seen.values[name] for name in secrets} == secrets
    assert list(seen.values["stack_services"]["api-web"]["secrets"])[2:] == list(secrets)
    assert all(seen.schema[name].secret for name in secrets)


def test_without_tokens_none_is_needed(tmp_path: Path) -> None:
    seen = resolved(tmp_path, "api_port: 5044", {})
    assert seen.problems == []
    assert seen.values["api_tokens"] == {}
    assert not [name for name in seen.values if name.startswith("api_token_")]


def test_by_default_there_is_one_for_operators(tmp_path: Path) -> None:
    seen = resolved(tmp_path, "api_auth: token", {"admin": TOKEN})
    assert seen.problems == []
    assert seen.values["api_tokens"] == {"admin": "admin"}


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "is empty"),
        ("shrt-7Qx", "is too short"),
        ("changeme-changeme", "is built on a well-known password"),
        ("abcabcabcabcabcabc", "repeats a few characters"),
        ("has spaces 4711-xK9", "has a form that is not allowed"),
        ("umlaut-ü-4711-xK9-ab", "has a form that is not allowed"),
        (f"{TOKEN}\n", "has a form that is not allowed"),
    ],
)
def test_a_bad_token_is_refused_by_name(tmp_path: Path, secret: str, reason: str) -> None:
    tokens = {"ops": TOKEN, "ci": secret}
    seen = resolved(tmp_path, f"api_auth: token\napi_tokens: {TWO}", tokens)
    assert {problem.setting for problem in seen.problems} == {"api_token_secrets.ci"}
    said = str(RefusedError("shop", seen.problems))
    assert reason in said
    assert "inventories/group_vars/shop/vault.yml" in said
    assert not secret or secret not in said


def test_a_missing_token_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    settings = f"api_auth: token\napi_tokens: {TWO}"
    (problem,) = resolved(tmp_path, settings, {"ops": TOKEN}).problems
    assert problem.setting == "api_token_secrets.ci"
    assert problem.reason == "is missing"
    assert problem.where == "inventories/group_vars/shop/vault.yml"
    assert "`make secrets ENV=shop` generates one" in problem.fix


def test_a_token_in_a_plain_file_is_refused(tmp_path: Path) -> None:
    settings = f"api_auth: token\napi_tokens: {TWO}"
    plain = 'api_token_secrets: {ops: "{{ vault_api_token_secrets.ops }}", ci: yL8-another-5822}'
    (problem,) = resolved(tmp_path, settings, {"ops": TOKEN}, plain).problems
    assert problem.setting == "api_token_secrets"
    assert problem.reason == "is readable in a plain file"
    assert problem.where.endswith("shop/main.yml:4")


def test_a_token_that_is_readable_anywhere_is_named_by_its_name(tmp_path: Path) -> None:
    settings = f"api_auth: token\napi_tokens: {TWO}"
    tokens = {"ops": TOKEN, "ci": "yL8-another-5822"}
    (problem,) = resolved(tmp_path, settings, tokens, "# it is yL8-another-5822").problems
    assert problem.setting == "api_token_secrets.ci"


def test_the_same_secret_twice_is_refused(tmp_path: Path) -> None:
    secrets = {"ops": TOKEN, "ci": TOKEN}
    seen = resolved(tmp_path, f"api_auth: token\napi_tokens: {TWO}", secrets)
    (problem,) = seen.problems
    assert problem.setting == "api_token_secrets.ci"
    assert problem.reason == "is the same as that of ops"
    assert TOKEN not in str(problem)


@pytest.mark.parametrize(
    ("settings", "setting", "reason"),
    [
        ("api_tokens: {ci: write}", "api_tokens", "api_auth is none: nobody needs one"),
        ("api_public_reads: false", "api_public_reads", "api_auth is none: all is open"),
        ("api_auth: token\napi_tokens: {ci: write}", "api_tokens", "no token with the scope admin"),
        ("api_auth: token\napi_tokens: {}", "api_tokens", "no token with the scope admin"),
        ("api_auth: token\napi_tokens: {Ci: admin}", "api_tokens", "the key Ci, of a form"),
        ("api_auth: token\napi_tokens: {ci: owner}", "api_tokens.ci", "form that is not allowed"),
        ("api_auth: token\napi_tokens: [ci]", "api_tokens", "is a list"),
        ("api_auth: basic", "api_auth", "form that is not allowed"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tmp_path: Path, settings: str, setting: str, reason: str
) -> None:
    seen = resolved(tmp_path, settings, {"ci": TOKEN})
    (problem,) = seen.problems
    assert problem.setting == setting
    assert reason in problem.reason


def test_each_token_of_a_mapping_is_masked_and_their_names_are_not() -> None:
    masker = Masker(["sEcret", {"admin": TOKEN, "ci": "yL8-another-5822"}])
    assert (
        masker.text(f"admin {TOKEN} yL8-another-5822 sEcret ci") == f"admin {MASK} {MASK} {MASK} ci"
    )


def test_files_are_named_so_that_the_api_finds_them() -> None:
    tokens = {"ops": "admin", "boss": "admin", "ci": "write"}
    said = token_files(tokens, "/a b")
    assert shlex.split(said) == [
        "boss:admin:/a b/api_token_boss",
        "ci:write:/a b/api_token_ci",
        "ops:admin:/a b/api_token_ops",
    ]
    assert token_file(tokens, "/x") == "/x/api_token_boss"
    assert token_file({}, "/x") == ""
