"""Secrets outside dev: weak, readable or missing ones are refused, and no message repeats one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from stackwright.settings.problems import RefusedError
from stackwright.settings.resolve import Resolution

from tests.support.project import GOOD_SECRET, ROOT, encrypted, indented_vault, other_secrets
from tests.support.resolving import look


@dataclass(frozen=True)
class Case:
    """``files`` are below group_vars/<name>/; in their text <good> stands for a good secret."""

    name: str
    reason: str
    files: dict[str, str] = field(default_factory=dict)
    vault: str = ""
    host_vars: dict[str, str] = field(default_factory=dict)
    group_vars: dict[str, str] = field(default_factory=dict)
    place: str = "vault.yml"


WEAK = "is built on a well-known password"
READABLE = "is readable in a plain file"
CASES = [
    Case("missing", "'vault_db_password' is undefined"),
    Case("short", "is shorter than 16 characters", vault="Xy7-fifteen-chr"),
    Case("known", "is shorter than 16 characters", vault="changeme"),
    Case("changeme_twice", WEAK, vault="ChangemeChangeme"),
    Case("changeme_long", WEAK, vault="changeme-123456-789"),
    Case("password_list", WEAK, vault="admin-password-admin"),
    Case("repeated", "repeats a few characters", vault="abcabcabcabcabcabc"),
    Case("blank", "repeats a few characters", vault=" " * 20),
    Case("plain_main", READABLE, {"main.yml": "vault_db_password: <good>"}, place="main.yml:1"),
    Case("plain_setting", READABLE, {"main.yml": "\n\ndb_password: <good>"}, place="main.yml:3"),
    Case("plain_vault", READABLE, {"vault.yml": "vault_db_password: <good>"}, place="vault.yml:1"),
    Case("plain_no_suffix", READABLE, {"secrets": "vault_db_password: <good>"}, place="secrets:1"),
    Case("plain_json", READABLE, {"secrets.json": '{"vault_db_password": "<good>"}'}, place="secrets.json:1"),
    Case("plain_subfolder", READABLE, {"more/secrets.yaml": "vault_db_password: <good>"}, place="secrets.yaml:1"),
    Case("plain_literal", READABLE, {"main.yml": "db_password: \"{{ '<good>' }}\""}, place="main.yml"),
    Case("plain_other_name", READABLE, {"main.yml": 'db_password: "{{ _pw }}"\n_pw: <good>'}, place="main.yml"),
    Case("plain_host", READABLE, host_vars={"vault_db_password": GOOD_SECRET}, place=".yml:1"),
    Case("plain_group", READABLE, group_vars={"vault_db_password": GOOD_SECRET}, place=".yml:1"),
    Case("plain_comment", READABLE, {"main.yml": "# it is <good>\napi_port: 5044"}, vault=GOOD_SECRET,
         place="main.yml"),
]  # fmt: skip


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resolution]:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "group_vars").mkdir()
    (folder / "group_vars/all").symlink_to(ROOT / "inventories/group_vars/all")
    groups = {}
    good = [
        Case("good_file", "", vault=GOOD_SECRET),
        Case("good_inline", "", {"main.yml": indented_vault("vault_db_password", GOOD_SECRET)}),
        Case("good_direct", "", {"main.yml": indented_vault("db_password", GOOD_SECRET)}),
    ]
    for case in [*CASES, *good]:
        files = {name: text.replace("<good>", GOOD_SECRET) for name, text in case.files.items()}
        if case.vault:
            files["vault.yml"] = encrypted(f"vault_db_password: {json.dumps(case.vault)}\n")
        files["zz_others.yml"] = encrypted(other_secrets())
        for name, text in files.items():
            path = folder / "group_vars" / case.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        host = {f"{case.name}-host": {"ansible_connection": "local", **case.host_vars}}
        groups[case.name] = {"hosts": host, "vars": case.group_vars}
    # A secret in an inventory file is readable for every environment in it, so those get files of their own.
    apart = {name: {name: groups.pop(name)} for name in ("plain_host", "plain_group")}
    inventories = {**apart, "one": {"good_file": groups["good_file"]}, "inventory": groups}
    for name, content in inventories.items():
        (folder / f"{name}.yml").write_text(json.dumps(content), encoding="utf-8")
    found = look(folder / "inventory.yml")
    for name in apart:
        found |= look(folder / f"{name}.yml")
    by_option = {
        "given": {"vault_db_password": GOOD_SECRET},
        "given_itself": {"db_password": GOOD_SECRET},
    }
    for name, extra in by_option.items():
        found[name] = look(folder / "one.yml", extra=extra)["good_file"]
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_secret_is_refused_and_not_repeated(case: Case, seen: dict[str, Resolution]) -> None:
    (problem,) = seen[case.name].problems
    assert problem.setting == "db_password"
    assert case.reason in problem.reason
    assert case.place in problem.where
    assert f"inventories/group_vars/{case.name}/vault.yml" in problem.fix
    said = str(RefusedError(case.name, [problem]))
    assert GOOD_SECRET not in said
    assert not case.vault.strip() or case.vault not in said


@pytest.mark.parametrize("name", ["good_file", "good_inline", "good_direct"])
def test_a_good_secret_in_the_vault_is_accepted(name: str, seen: dict[str, Resolution]) -> None:
    assert seen[name].problems == []
    assert seen[name].values["db_password"] == GOOD_SECRET


@pytest.mark.parametrize("name", ["given", "given_itself"])
def test_a_secret_on_the_command_line_is_refused(name: str, seen: dict[str, Resolution]) -> None:
    (problem,) = seen[name].problems
    assert (
        problem.reason
        == "is given with -e, and only the environment's own vault keeps it encrypted for every run"
    )
    assert problem.where == "the command line (-e)"


def test_an_inline_secret_of_another_vault_password_is_named_with_the_options_that_open_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all").symlink_to(ROOT / "inventories/group_vars/all")
    text = (
        indented_vault("vault_db_password", GOOD_SECRET, password="another")
        + "\n"
        + other_secrets()
    )
    (tmp_path / "group_vars/shop.yml").write_text(text, encoding="utf-8")
    (tmp_path / "shop.yml").write_text('{"shop": {"hosts": {"shop-host": {}}}}', encoding="utf-8")
    (problem,) = look(tmp_path / "shop.yml")["shop"].problems
    assert problem.setting == "db_password"
    assert problem.reason == "is encrypted with Ansible Vault and cannot be decrypted"
    assert "--ask-vault-pass" in problem.fix
