"""Bad input through the real playbook: exit code, message and the empty disk are what a user meets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.render.bad_settings import CASES, FINE
from tests.support.project import (
    GOOD_SECRET,
    ROOT,
    Project,
    Run,
    encrypted,
    good_vault,
    indented_vault,
    inventory_of,
    like_dev,
    tree,
)

# One of each kind; the whole table is walked in test_bad_settings.
REPRESENTATIVE = {
    *("port_zero", "port_mapping", "port_sexagesimal", "port_octal", "port_quoted", "null_value", "undefined"),
    *("unknown_key", "memory_plain", "ttl_zero", "date", "user_line", "variable_key_line", "variable_key_number"),
    *("secret_nul", "secret_line", "connections", "service_needs", "service_secret", "by_hand"),
}  # fmt: skip


def test_every_bad_environment_of_a_run_is_refused_with_its_own_message_and_nothing_is_written(
    shared_project: Project,
) -> None:
    cases = [case for case in CASES if case.name in REPRESENTATIVE]
    assert len(cases) == len(REPRESENTATIVE)
    for case in cases:
        shared_project.write(f"inventories/group_vars/{case.name}/fine.yml", FINE)
        shared_project.write(
            f"inventories/group_vars/{case.name}/main.yml", f"---\n{case.settings}\n"
        )
    names = [case.name for case in cases]
    # One file, away from the others: what they would share on one host is another test's matter.
    inventory = shared_project.write("inventories/cases.yml", inventory_of(names))
    hosts = "".join(f"\n{name}-host ansible_host={name}.example" for name in names)
    inventory.write_text(
        "\n".join(
            f"[{name}]\n{line}" for name, line in zip(names, hosts.split("\n")[1:], strict=True)
        ),
        encoding="utf-8",
    )
    inventory = inventory.rename(inventory.with_suffix(".ini"))

    run = shared_project.render("-i", str(inventory))

    assert run.returncode != 0
    assert set(run.results) == {f"{name}-host" for name in names}
    for case in cases:
        said = run.results[f"{case.name}-host"]["msg"]
        assert run.results[f"{case.name}-host"]["failed"], said
        assert said.startswith(f"environment {case.name}: "), said
        assert f"- {case.setting}: " in said
        assert case.reason in said
        assert not case.value or case.value not in said
    assert not (shared_project.folder / "generated").exists()


def only_error(run: Run) -> str:
    """What Ansible says besides the name of the play: one line."""
    (line,) = [line for line in run.output.splitlines() if line and not line.startswith("PLAY [")]
    return line


class TestVault:
    """prod as shipped: its secrets belong into an encrypted file."""

    INVENTORY = ("-i", "inventories/prod.yml")

    @pytest.fixture
    def prod(self, project: Project) -> Project:
        project.write(
            "inventories/group_vars/prod/vault.yml",
            encrypted(good_vault()),
        )
        return project

    def test_without_a_vault_the_missing_secret_and_the_command_are_named(
        self, project: Project
    ) -> None:
        run = project.run("playbooks/render.yml", *self.INVENTORY)
        assert run.returncode != 0
        assert "environment prod: 8 problems, nothing was written" in run.output
        assert "db_password: 'vault_db_password' is undefined" in run.output
        assert "`make secrets ENV=prod` generates one" in run.output
        assert "inventories/group_vars/prod/vault.yml" in run.output
        assert not project.output("prod").exists()

    def test_without_its_password_one_line_says_what_is_missing_and_how_to_give_it(
        self, prod: Project
    ) -> None:
        run = prod.run("playbooks/render.yml", *self.INVENTORY)
        assert run.returncode != 0
        line = only_error(run)
        assert "inventories/group_vars/prod/vault.yml is encrypted" in line
        assert "no password was given" in line
        assert "--ask-vault-pass or --vault-password-file FILE" in line
        assert not prod.output("prod").exists()

    def test_with_another_password_one_line_says_so(self, prod: Project) -> None:
        prod.password_file.write_text("not this one", encoding="utf-8")
        run = prod.run(
            "playbooks/render.yml",
            *self.INVENTORY,
            "--vault-password-file",
            str(prod.password_file),
        )
        assert run.returncode != 0
        line = only_error(run)
        assert "vault.yml is encrypted" in line
        assert "the password given does not open it" in line

    @pytest.mark.parametrize("size", [30, 200, 1001])
    def test_one_that_is_cut_off_is_named_as_such(self, prod: Project, size: int) -> None:
        vault = prod.folder / "inventories/group_vars/prod/vault.yml"
        vault.write_bytes(vault.read_bytes()[:size])
        run = prod.run(
            "playbooks/render.yml",
            *self.INVENTORY,
            "--vault-password-file",
            str(prod.password_file),
        )
        assert run.returncode != 0
        line = only_error(run)
        assert line.endswith(
            "vault.yml is encrypted with Ansible Vault and is damaged or cut off: put back a copy of it"
        )

    @pytest.mark.parametrize("playbook", ["status", "logs", "outdated", "stop"])
    def test_what_needs_no_secret_asks_for_no_password(self, prod: Project, playbook: str) -> None:
        assert prod.render(*self.INVENTORY).returncode == 0
        for lock in ("requirements.txt", "requirements-dev.txt"):
            prod.write(lock, "")
        nowhere = "http://127.0.0.1:9"  # the discard port
        nobody = {"PIP_INDEX_URL": nowhere, "https_proxy": nowhere, "DOCKER_HOST": "unix:///none"}
        prod.password_file.write_text("not this one", encoding="utf-8")
        for given in ([], ["--vault-password-file", str(prod.password_file)]):
            arguments = (*self.INVENTORY, *given)
            run = prod.run(f"playbooks/{playbook}.yml", *arguments, variables=nobody)
            assert run.returncode == 0, run.output
            assert "prod" in run.output

    def test_with_its_password_prod_is_written_and_the_secret_is_nowhere_but_in_its_files(
        self, prod: Project
    ) -> None:
        run = prod.render(*self.INVENTORY, "--diff")
        assert run.returncode == 0, run.output
        assert GOOD_SECRET not in run.output
        having = {
            path
            for path, content in tree(prod.output("prod")).items()
            if GOOD_SECRET.encode() in content
        }
        assert having
        assert all(path.startswith("secrets/") for path in having)


class TestNeighbours:
    """Environments of one host: compared with those of the other inventories, as far as they can be read."""

    @pytest.fixture
    def prod(self, project: Project) -> Project:
        """prod with a vault that nobody in these tests opens."""
        project.write(
            "inventories/group_vars/prod/vault.yml",
            encrypted(good_vault(), password="someone else's"),
        )
        return project

    def test_what_a_closed_vault_does_not_hide_is_compared(self, prod: Project) -> None:
        run = prod.render(
            "-e", "api_port=5100", "-e", "stack_project=desafio3-prod", with_vault=False
        )
        assert run.returncode != 0
        said = run.results["dev-host"]["msg"]
        assert "environment dev: 5 problems" in said
        assert "api_port: takes host port 5100, as api_port does in prod" in said
        assert "stack_project: has the same value as in prod" in said
        assert said.count("in   the command line (-e)") == said.count("    fix  ")
        assert not (prod.folder / "generated").exists()

    def test_the_command_line_is_not_taken_for_a_setting_of_the_others(self, prod: Project) -> None:
        run = prod.render("-e", "api_port=5001", with_vault=False)
        assert run.returncode == 0, run.output

    def test_an_inline_secret_that_cannot_be_opened_hides_only_itself(
        self, project: Project
    ) -> None:
        secret = indented_vault("vault_db_password", GOOD_SECRET, password="someone else's")
        project.write("inventories/group_vars/prod/main.yml", f"---\napi_port: 5000\n{secret}\n")
        run = project.render(with_vault=False)
        assert run.returncode != 0
        assert "environment prod: 3 problems" in run.results["dev-host"]["msg"]
        assert (
            "api_port: takes host port 5000, as api_port does in dev"
            in run.results["dev-host"]["msg"]
        )

    def test_a_broken_setting_of_another_environment_stops_only_that_one(
        self, prod: Project
    ) -> None:
        prod.environment("staging", "api_port: zero\nstack_network: desafio3-network")
        run = prod.render(with_vault=False)
        assert run.returncode != 0
        said = run.results["dev-host"]["msg"]
        assert "environment staging: 1 problem" in said
        assert "stack_network: has the same value as in dev" in said

    def test_a_conflict_between_two_others_is_not_this_runs_matter(self, prod: Project) -> None:
        prod.environment("staging", "api_port: 5100")
        assert prod.render(with_vault=False).returncode == 0

    def test_hosts_left_out_by_limit_are_still_neighbours(self, project: Project) -> None:
        project.environment("staging", f"api_port: 5000\n{like_dev('x')}")
        run = project.render("-i", "inventories", "--limit", "dev", with_vault=False)
        assert run.returncode != 0
        assert "environment staging: " in run.results["dev-host"]["msg"]

    def test_a_folder_of_inventories_does_not_make_environments_their_own_neighbours(
        self, project: Project
    ) -> None:
        project.write(
            "inventories/group_vars/prod/vault.yml",
            encrypted(good_vault()),
        )
        run = project.render("-i", "inventories")
        assert run.returncode == 0, run.output
        assert set(run.results) == {"dev-host", "prod-host"}

    def test_one_host_name_in_two_inventories_is_two_environments(self, project: Project) -> None:
        shared = inventory_of(["staging"]).replace("staging-host", "dev-host")
        project.write("inventories/staging.yml", shared)
        project.write(
            "inventories/group_vars/staging.yml", "stack_network: desafio3-network\napi_port: 5200"
        )
        run = project.render(with_vault=False)
        assert run.returncode != 0
        assert "environment staging: 1 problem" in run.results["dev-host"]["msg"]

    def test_a_secret_of_dev_in_prod_is_found(self, project: Project) -> None:
        project.write(
            "inventories/group_vars/prod/vault.yml",
            encrypted(good_vault()),
        )
        project.write(
            "inventories/group_vars/dev/main.yml",
            like_dev(GOOD_SECRET),
        )
        run = project.render("-i", "inventories/prod.yml")
        assert run.returncode != 0
        assert "db_password: is the same as in dev" in run.results["prod-host"]["msg"]
        assert GOOD_SECRET not in run.output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'# fine\ndb_name: "caf\xe9"\n', "main.yml:2 is no UTF-8 text: save it as UTF-8"),
        (b"\xff\xfed\x00b\x00", "main.yml:1 is no UTF-8 text"),
        (b'db_name: "shop\napi_port: 5044\n', "main.yml:3 is no YAML"),
    ],
    ids=["latin-1", "utf-16", "open quote"],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(
    shared_project: Project, content: bytes, said: str
) -> None:
    shared_project.environment("unreadable", "db_name: shop")
    main = shared_project.folder / "inventories/group_vars/unreadable/main.yml"
    main.write_bytes(content)
    run = shared_project.run("playbooks/validate.yml", "-i", "inventories/unreadable.yml")
    assert run.returncode != 0
    assert f"inventories/group_vars/unreadable/{said}" in only_error(run)


@pytest.mark.parametrize("folder", ["100%s %(here)s", "50%41 $unset ${x} $$"])
def test_a_checkout_may_lie_below_any_name(tmp_path: Path, folder: str) -> None:
    """Compose itself works with all but the first, which is refused for it."""
    project = Project(tmp_path / folder)
    run = project.run(
        "playbooks/render.yml", "-i", "inventories/dev.yml", "-e", "stack_runtime=embedded"
    )
    assert run.returncode == 0, run.output
    run = project.run(
        "playbooks/validate.yml", "-i", "inventories/dev.yml", "-e", "stack_runtime=compose"
    )
    assert (run.returncode == 0) == ("%41" in folder), run.output
    assert ("has a %, with which Compose does not work" in run.output) != ("%41" in folder)


def test_a_checkout_whose_path_names_a_variable_is_refused_by_make(tmp_path: Path) -> None:
    """Ansible puts the variable's value in its place, wherever a path is."""
    folder = tmp_path / "$HOME"
    folder.mkdir()
    (folder / "Makefile").symlink_to(ROOT / "Makefile")
    done = subprocess.run(["make", "help"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Ansible replaces $HOME in paths" in done.stderr
    assert "move the checkout" in done.stderr
