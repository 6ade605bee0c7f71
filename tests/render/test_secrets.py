"""``make secrets``: what a new user runs, and what is seen of it; files in detail are in tests/unit/test_secret_vault."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.support.project import (
    GOOD_SECRET,
    PROD_TOKENS,
    VAULT_PASSWORD,
    Project,
    Run,
    encrypted,
    good_token,
    good_vault,
    inventory_of,
    recap,
    tree,
)

VAULT = "inventories/group_vars/prod/vault.yml"
ANOTHER = '\n# Token of the shop. Without it nobody buys.\nshop_token: "{{ vault_shop_token }}"\n'


def generate(
    project: Project,
    *arguments: str,
    inventory: str = "prod",
    with_vault: bool = True,
    structured: bool = False,
) -> Run:
    """``make secrets ENV=…``; the vault password is configured as docs/secrets.md says."""
    key = {"ANSIBLE_VAULT_PASSWORD_FILE": str(project.password_file)} if with_vault else {}
    return project.run(
        *("-i", f"inventories/{inventory}.yml", "playbooks/secrets.yml", *arguments),
        variables=key,
        structured=structured,
    )


def secrets_in(project: Project, path: str = VAULT) -> dict[str, str]:
    """Each secret of a vault, those of mappings as ``mapping.name``."""
    vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
    return flat(yaml.safe_load(vault.decrypt((project.folder / path).read_bytes())))


def flat(vault: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in vault.items():
        found |= (
            {f"{name}.{key}": text for key, text in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
    return found


def test_from_nothing_to_a_rendered_prod(project: Project) -> None:
    run = generate(project, "-vvv", "--diff")
    assert run.returncode == 0, run.output
    assert recap(run.output)["changed"] == 1
    secrets = secrets_in(project)
    assert len(secrets) == len(set(secrets.values())) == 8
    assert (project.folder / VAULT).stat().st_mode & 0o777 == 0o600
    rendered = project.render("-i", "inventories/prod.yml")
    assert rendered.returncode == 0, rendered.output
    for place in (
        "banco-dados/db_password",
        "api-web/db_app_password",
        "cache-redis/cache_password",
    ):
        file = project.output("prod") / "secrets" / place
        assert file.read_text(encoding="utf-8") == secrets[f"vault_{file.name}"]
    for secret in secrets.values():
        assert secret not in run.output + rendered.output
        for path, content in tree(project.folder).items():
            assert secret.encode() not in content or path.startswith("generated/prod/secrets/")


def test_it_says_which_secrets_and_what_for_and_the_second_run_changes_nothing(
    project: Project,
) -> None:
    first = generate(project)
    assert re.search(r"generated  db_password +Password of db_user\.", first.output)
    assert VAULT in first.output
    before = tree(project.inventories)
    second = generate(project)
    assert second.returncode == 0, second.output
    assert recap(second.output)["changed"] == 0
    assert "kept       db_password" in second.output
    assert tree(project.inventories) == before


def test_looking_ahead_names_what_is_missing_and_writes_nothing(project: Project) -> None:
    before = tree(project.folder)
    run = generate(project, "--check")
    assert run.returncode == 0, run.output
    assert recap(run.output)["changed"] == 1
    assert re.search(r"missing    db_password +Password of db_user\.", run.output)
    assert f"would go into {VAULT}" in run.output
    assert tree(project.folder) == before


def test_another_secret_is_one_more_entry_in_the_list(project: Project) -> None:
    entries = project.inventories / "group_vars/all/secrets.yml"
    entries.write_text(entries.read_text(encoding="utf-8") + ANOTHER, encoding="utf-8")
    project.write(VAULT, encrypted(f"# mine\n{good_vault()}vault_own: x\n"))
    missing = project.render("-i", "inventories/prod.yml")
    assert missing.returncode != 0
    said = missing.results["prod-host"]["msg"]
    assert "shop_token: 'vault_shop_token' is undefined" in said
    assert f"`make secrets ENV=prod` generates one into {VAULT}" in said

    run = generate(project, structured=True)
    assert run.results["prod-host"]["generated"] == ["vault_shop_token"]
    found = secrets_in(project)
    assert found.pop("vault_shop_token")
    assert found == {**flat(yaml.safe_load(good_vault())), "vault_own": "x"}
    rendered = project.render("-i", "inventories/prod.yml")
    assert rendered.returncode == 0, rendered.output


def test_a_vault_with_a_variable_for_each_token_gets_the_mapping_with_the_same_tokens(
    project: Project,
) -> None:
    former = "".join(f"vault_api_token_{name}: {good_token(name)}\n" for name in PROD_TOKENS[1:])
    project.write(
        VAULT,
        encrypted(former + good_vault(tokens={}).partition("vault_api_token_secrets: {}\n")[0]),
    )
    run = generate(project)
    assert re.search(r"copied     api_token_secrets\.reader +Tokens of the API", run.output)
    assert re.search(r"generated  api_token_secrets\.operator ", run.output)
    found = secrets_in(project)
    for name in PROD_TOKENS[1:]:
        assert found[f"vault_api_token_secrets.{name}"] == good_token(name)
    rendered = project.render("-i", "inventories/prod.yml")
    assert rendered.returncode == 0, rendered.output
    for name in PROD_TOKENS:
        (file,) = project.output("prod").glob(f"secrets/**/api-web/api_token_{name}")
        assert file.read_text(encoding="utf-8") == found[f"vault_api_token_secrets.{name}"]


def test_a_new_environment_needs_no_folder(project: Project) -> None:
    project.write("inventories/staging.yml", inventory_of(["staging"]))
    run = generate(project, inventory="staging")
    assert run.returncode == 0, run.output
    assert secrets_in(project, "inventories/group_vars/staging/vault.yml")


def test_dev_has_the_password_of_the_seed_and_needs_no_vault(project: Project) -> None:
    run = generate(project, inventory="dev", with_vault=False)
    assert run.returncode == 0, run.output
    assert recap(run.output)["changed"] == 0
    assert not (project.inventories / "group_vars/dev/vault.yml").exists()


@pytest.mark.parametrize("secret", ["short", "changeme-123456-789", "", "admin123"])
def test_a_secret_that_is_refused_stays_and_the_refusal_says_what_to_do(
    secret: str, project: Project
) -> None:
    project.write(VAULT, encrypted(good_vault(secret)))
    assert recap(generate(project).output)["changed"] == 0
    assert secrets_in(project)["vault_db_password"] == secret
    run = project.render("-i", "inventories/prod.yml")
    said = run.results["prod-host"]["msg"]
    assert "- db_password: is " in said
    assert f"in   {VAULT}" in said
    assert f"take it out (in the vault with `ansible-vault edit {VAULT}`)" in said
    assert "then `make secrets ENV=prod` generates one" in said


def refusal(run: Run) -> str:
    assert run.returncode != 0
    assert "Traceback" not in run.output
    return run.output


def test_without_a_vault_password_it_says_how_to_give_one(project: Project) -> None:
    for arguments in ([], ["--check"]):
        said = refusal(generate(project, *arguments, with_vault=False))
        assert "environment prod: 1 problem, nothing was written" in said
        assert "cannot be encrypted: there is no vault password" in said
        assert "ANSIBLE_VAULT_PASSWORD_FILE=FILE" in said
    assert not (project.folder / VAULT).exists()


def test_with_another_vault_password_nothing_is_written(project: Project) -> None:
    project.write(VAULT, encrypted("a: b\n", password="someone else's"))
    before = tree(project.folder)
    said = refusal(generate(project))
    assert f"{VAULT} is encrypted with Ansible Vault" in said
    assert "the password given does not open it" in said
    assert tree(project.folder) == before


def test_a_plain_vault_is_refused_with_the_command_that_encrypts_it(project: Project) -> None:
    project.write(VAULT, good_vault())
    said = refusal(generate(project))
    assert "vault.yml: is plain text" in said
    assert f"`ansible-vault encrypt {VAULT}`" in said
    assert GOOD_SECRET not in said
    rendering = project.render("-i", "inventories/prod.yml").results["prod-host"]["msg"]
    assert "db_password: is readable in a plain file" in rendering
    assert f"`ansible-vault encrypt {VAULT}`" in rendering


def test_a_vault_in_the_way_of_a_folder_is_named(project: Project) -> None:
    (project.folder / VAULT).mkdir()
    said = refusal(generate(project))
    assert "vault.yml: Is a directory; nothing was written" in said


def test_an_environment_that_does_not_exist_is_refused(project: Project) -> None:
    said = refusal(generate(project, inventory="porduction"))
    assert "inventories/porduction.yml" in said
    assert "PLAY RECAP" not in said


def test_a_group_that_is_no_name_of_an_environment_makes_no_folder(project: Project) -> None:
    project.write("inventories/odd.yml", inventory_of(["Odd"]))
    said = refusal(generate(project, inventory="odd"))
    assert "stack_environment: has a form that is not allowed" in said
    assert not (project.inventories / "group_vars/Odd").exists()


def test_every_secret_says_its_purpose_and_comes_from_the_vault(project: Project) -> None:
    text = (project.inventories / "group_vars/all/secrets.yml").read_text(encoding="utf-8")
    entries = re.findall(r"(?m)^((?:#.*\n)+)(\w+): (.*)$", text.partition("\n\n")[2])
    assert [name for _, name, _ in entries] == list(yaml.safe_load(text))
    for _, name, value in entries:
        assert value in (f'"{{{{ vault_{name} }}}}"', f'"{{{{ vault_{name} | default({{}}) }}}}"')
