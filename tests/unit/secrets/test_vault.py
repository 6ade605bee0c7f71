"""Generated secrets in a real vault file: what is there stays, what is missing comes, nothing is half done."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from stackwright import layout
from stackwright.secrets.vault import SecretVault, missing_secrets
from stackwright.settings.problems import RefusedError
from stackwright.settings.rules.secrets import secret_problems
from stackwright.settings.schema import Setting, load_schema
from stackwright.settings.sources import Sources
from stackwright.system import lock_folder

from tests.support.resolving import dev_values

PASSWORDS = [("default", VaultSecret(b"one")), ("shop", VaultSecret(b"another"))]
SCHEMA = load_schema(layout.DEFAULTS)
MISSING = [
    Setting(name, "secrets", f"What {name} is for.", "", "", True, {"type": "string"})
    for name in ("db_password", "cache_password")
]


def vault_at(folder: Path, passwords: list[tuple[str, VaultSecret]] | None = None) -> SecretVault:
    path = folder / "group_vars/shop/vault.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = PASSWORDS if passwords is None else passwords
    return SecretVault(path, "the vault", "shop", VaultLib(known))


def content(vault: SecretVault) -> str:
    text: str = VaultLib(PASSWORDS).decrypt(vault.path.read_bytes()).decode()
    return text


def put(vault: SecretVault, text: str, vault_id: str = "default") -> None:
    secret = dict(PASSWORDS)[vault_id]
    vault.path.write_bytes(VaultLib(PASSWORDS).encrypt(text.encode(), secret, vault_id))


def names(added: list[Setting]) -> list[str]:
    return [setting.name for setting in added]


def refused(vault: SecretVault, dry: bool = False) -> str:
    with pytest.raises(RefusedError) as error:
        vault.add(MISSING, dry)
    return str(error.value)


def test_a_new_vault_has_each_secret_with_its_purpose_for_its_owner_only(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    assert names(vault.add(MISSING)) == ["db_password", "cache_password"]
    assert vault.path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")
    assert vault.path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(vault.path.parent) == ["vault.yml"]
    text = content(vault)
    assert "# What cache_password is for.\nvault_cache_password: " in text
    values = yaml.safe_load(text)
    assert list(values) == ["vault_db_password", "vault_cache_password"]
    assert values["vault_db_password"] != values["vault_cache_password"]


def test_what_is_generated_passes_the_rules_for_secrets(tmp_path: Path) -> None:
    nowhere = Sources(tmp_path / "shop.yml", "shop", "shop-host", set(), tmp_path)
    schema = {name: setting for name, setting in SCHEMA.items() if not setting.each}
    for turn in range(20):
        vault = vault_at(tmp_path / str(turn))
        vault.add(MISSING[:1])
        secret = yaml.safe_load(content(vault))["vault_db_password"]
        assert len(secret) == 40
        assert secret.isalnum()
        values = dev_values(
            **{name: secret for name, setting in schema.items() if setting.secret},
            secrets_strict=True,
        )
        assert secret_problems(schema, values, nowhere) == []
        token = SCHEMA["api_token_secrets"].rule["additionalProperties"]
        assert re.fullmatch(token["pattern"], secret)


def test_nothing_missing_changes_no_byte(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    vault.add(MISSING)
    before = vault.path.read_bytes(), vault.path.stat().st_ino
    assert vault.add(MISSING) == []
    assert vault.add([]) == []
    assert (vault.path.read_bytes(), vault.path.stat().st_ino) == before


@pytest.mark.parametrize(
    "text",
    [
        "---\n# mine\nvault_db_password: weak  # on purpose\nother: {a: [1, !unsafe '{{ x }}']}\n",
        "vault_db_password: 'no line break at the end'",
        "vault_db_password: |\n  several\n\n  lines\n",
        "# Olá 🔑\nvault_db_password: &a ção\ncopy: *a\n",
    ],
)
def test_everything_in_the_vault_stays_as_it_was_written(text: str, tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    put(vault, text)
    assert names(vault.add(MISSING)) == ["cache_password"]
    assert content(vault).startswith(text)
    assert vault.path.stat().st_mode & 0o777 == 0o600


def test_a_vault_keeps_its_password_and_its_id(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    put(vault, "a: b\n", "shop")
    vault.add(MISSING)
    assert vault.path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;shop\n")
    assert "vault_db_password" in VaultLib(PASSWORDS[1:]).decrypt(vault.path.read_bytes()).decode()


def test_looking_ahead_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    vault.path.parent.rmdir()
    assert names(vault.add(MISSING, dry=True)) == ["db_password", "cache_password"]
    assert not vault.path.parent.exists()


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{a: hidden-value}", "is no list of names and values"),
        ("- hidden-value", "is no list of names and values"),
        ("a: [hidden-value", "is no list of names and values"),
        ("a: hidden-value\n...\n", "is no list of names and values"),
        ("a: |+\n  hidden-value\n\n", "cannot be added to as it is written"),
    ],
)
def test_a_vault_that_cannot_be_added_to_is_left_alone(
    text: str, reason: str, dry: bool, tmp_path: Path
) -> None:
    vault = vault_at(tmp_path)
    put(vault, text)
    before = vault.path.read_bytes()
    said = refused(vault, dry)
    assert said.startswith("environment shop: 1 problem, nothing was written\n")
    assert reason in said
    assert "`ansible-vault edit the vault`" in said
    assert "hidden-value" not in said
    assert vault.path.read_bytes() == before


def test_a_plain_vault_is_refused_with_the_command_that_encrypts_it(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    vault.path.write_text("vault_db_password: readable\n", encoding="utf-8")
    said = refused(vault)
    assert "vault.yml: is plain text" in said
    assert "`ansible-vault encrypt the vault`" in said
    assert "readable" not in said
    with pytest.raises(RefusedError):
        vault.add([])


def test_without_a_vault_password_the_ways_to_give_one_are_named(tmp_path: Path) -> None:
    said = refused(vault_at(tmp_path, []))
    assert "cannot be encrypted: there is no vault password" in said
    assert "ANSIBLE_VAULT_PASSWORD_FILE" in said
    assert "--ask-vault-pass" in said


def test_another_password_is_no_reason_to_write_a_new_vault(tmp_path: Path) -> None:
    vault = vault_at(tmp_path, PASSWORDS[:1])
    put(vault, "a: b\n", "shop")
    before = vault.path.read_bytes()
    assert "is encrypted, and no password that was given opens it" in refused(vault)
    assert vault.path.read_bytes() == before


def test_a_damaged_vault_is_left_alone(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    put(vault, "a: b\n")
    damaged = vault.path.read_bytes()[:-40]
    vault.path.write_bytes(damaged)
    assert "no password that was given opens it" in refused(vault)
    assert vault.path.read_bytes() == damaged


@pytest.mark.parametrize("name", ["shop", "shop.yml", "shop.json"])
def test_settings_that_a_folder_for_the_vault_would_hide_are_named(
    name: str, tmp_path: Path
) -> None:
    vault = vault_at(tmp_path)
    vault.path.parent.rmdir()
    (tmp_path / "group_vars" / name).write_text("api_port: 5200\n", encoding="utf-8")
    said = refused(vault)
    assert "would hide the settings beside it" in said
    assert f"move {name} to shop/main.yml" in said
    assert refused(vault, dry=True) == said
    assert vault.add([]) == []
    assert not vault.path.exists()


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    vault.path.parent.chmod(0o500)
    for folder in (vault.path.parent, *list(vault.path.parents)[1:4]):
        folder.chmod(folder.stat().st_mode | 0o055)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)  # root may write anywhere
    try:
        said = refused(vault)
    finally:
        os.seteuid(me)
    assert "Permission denied; nothing was written" in said
    assert str(tmp_path) in said
    assert not vault.path.exists()


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    put(vault, "a: b\n")
    kept = vault.path.rename(tmp_path / "elsewhere.yml")
    vault.path.symlink_to(kept)
    vault.add(MISSING)
    assert vault.path.is_symlink()
    assert "vault_db_password" in content(vault)


def test_two_runs_at_once_generate_each_secret_once(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    found: list[Setting] = []
    folder = os.open(vault.path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    other = threading.Thread(target=lambda: found.extend(vault.add(MISSING)))
    other.start()
    put(vault, "vault_db_password: the-first-one-wins\n")
    os.close(folder)
    other.join(timeout=60)
    assert names(found) == ["cache_password"]
    assert "the-first-one-wins" in content(vault)


def test_a_run_that_keeps_the_folder_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stackwright.secrets.vault.LOCK_SECONDS", 0.1)
    vault = vault_at(tmp_path)
    vault.path.parent.mkdir(parents=True, exist_ok=True)
    with lock_folder(vault.path.parent, 1), pytest.raises(RefusedError) as refused:
        vault.add(MISSING)
    assert "another run works there, still after 0 s; nothing was written" in str(refused.value)
    assert not vault.path.exists()


def test_a_secret_is_missing_only_where_its_setting_takes_it_from_the_vault() -> None:
    named = {"db_password": "{{ vault_db_password }}"}
    assert names(missing_secrets(SCHEMA, named, {})) == ["db_password"]
    assert missing_secrets(SCHEMA, named | {"vault_db_password": ""}, {}) == []
    assert missing_secrets(SCHEMA, {"db_password": "admin123"}, {}) == []
    assert missing_secrets(SCHEMA, {"db_password": "{{ vault_db_password_of_old }}"}, {}) == []
    assert missing_secrets(SCHEMA, {"db_password": "{{ lookup('elsewhere') }}"}, {}) == []


TOKENS = SCHEMA["api_token_secrets"]
MEMBERS = [replace(TOKENS, name=f"api_token_secrets.{name}") for name in ("ci", "ops")]


def test_the_members_that_a_mapping_of_secrets_lacks_are_missing() -> None:
    taken = {TOKENS.name: "{{ vault_api_token_secrets | default({}) }}"}
    wanted = {TOKENS.name: ["ci", "ops"]}
    assert missing_secrets(SCHEMA, taken, wanted) == MEMBERS
    some = taken | {TOKENS.vault_variable: {"ci": "", "gone": ""}}
    assert missing_secrets(SCHEMA, some, wanted) == MEMBERS[1:]
    assert missing_secrets(SCHEMA, {TOKENS.name: {"ci": "x"}}, wanted) == []


@pytest.mark.parametrize(
    "before",
    [
        "",
        "vault_db_password: x\n",
        "vault_api_token_secrets:\n  # the first\n  boss: b\n  old: 'o'\nvault_db_password: x\n",
        "vault_api_token_secrets:\n    old: |-\n      o\n    # the last\n",
        "vault_api_token_secrets: {boss: b,\n  old: o}\nvault_db_password: x\n",
        "vault_api_token_secrets: {}\n",
    ],
)
def test_members_go_into_their_mapping_and_the_others_stay(before: str, tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    put(vault, before or "# nothing\n")
    assert vault.add(MEMBERS) == MEMBERS
    found, old = yaml.safe_load(content(vault)), yaml.safe_load(before) or {}
    new = {name: found["vault_api_token_secrets"].pop(name) for name in ("ci", "ops")}
    assert all(len(text) == 40 for text in new.values())
    assert found == {"vault_api_token_secrets": {}} | old
    assert content(vault).count("#") >= before.count("#")
    assert vault.add(MEMBERS) == []


def test_a_token_that_had_a_variable_of_its_own_is_copied(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    text = "vault_api_token_ci: 'the: old one'\n"
    put(vault, text)
    assert vault.add(MEMBERS) == MEMBERS
    assert content(vault).startswith(text)
    found = yaml.safe_load(content(vault))["vault_api_token_secrets"]
    assert found["ci"] == "the: old one"
    assert len(found["ops"]) == 40


@pytest.mark.parametrize(
    "text", ["vault_api_token_secrets:\n", "vault_api_token_secrets: [hidden]\n"]
)
def test_what_should_be_a_mapping_of_secrets_and_is_none_stays(text: str, tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    put(vault, text)
    with pytest.raises(RefusedError, match="has no mapping as vault_api_token_secrets"):
        vault.add(MEMBERS)
    assert content(vault) == text


def test_a_mapping_of_secrets_in_another_file_is_not_hidden(tmp_path: Path) -> None:
    vault = vault_at(tmp_path)
    put(vault, "a: b\n")
    with pytest.raises(
        RefusedError, match="has no vault_api_token_secrets, which is set elsewhere"
    ):
        vault.add(MEMBERS, defined={"vault_api_token_secrets"})
    assert content(vault) == "a: b\n"
