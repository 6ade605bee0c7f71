"""Rendering as a user does it: twice, with a look ahead, over edits, and where nothing can be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from stackwright.runtimes.embedded.staging import staging_folder

from tests.support.project import Project, encrypted, good_vault, like_dev, tree

SETTINGS = (
    "-e",
    "base_images=registry",
    "-e",
    "stack_runtime=embedded",
    "-e",
    "embedded_user=nobody",
)


@pytest.fixture
def rendered(project: Project) -> Project:
    """A project whose dev was rendered once."""
    run = project.render(*SETTINGS)
    assert run.returncode == 0, run.output
    assert run.results["dev-host"]["changed"]
    return project


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Contents, modes and times of change."""
    return {
        path: (content, (folder / path).stat().st_mode, (folder / path).stat().st_mtime_ns)
        for path, content in tree(folder).items()
    }


def shown(result: dict[str, Any], folder: Path) -> dict[str, tuple[str, str]]:
    """A task's diff as (before, after) by path."""
    return {
        str(Path(entry["before_header"]).relative_to(folder)): (entry["before"], entry["after"])
        for entry in result["diff"]
    }


def test_a_second_run_changes_nothing(rendered: Project) -> None:
    before = snapshot(rendered.output("dev"))
    run = rendered.render(*SETTINGS, "--diff")
    assert run.returncode == 0, run.output
    assert run.results["dev-host"]["changed"] is False
    assert run.results["dev-host"]["diff"] == []
    assert snapshot(rendered.output("dev")) == before


def test_another_folder_gets_the_same_files_but_for_its_own_path(
    project: Project, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        run = project.render(*SETTINGS, "-e", f"stack_output_dir={tmp_path / name}")
        assert run.returncode == 0, run.output
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    assert one.keys() == two.keys()
    del one["manifest.json"]
    # As root, pytest's folders are closed to the embedded processes, which have another one then.
    for own in (Path, staging_folder):
        words = [os.fsencode(own(tmp_path / name)) for name in ("one", "two")]
        one = {path: content.replace(*words) for path, content in one.items()}
    assert one == {path: two[path] for path in one}


def test_the_look_ahead_writes_nothing_and_shows_exactly_what_a_run_then_does(
    rendered: Project,
) -> None:
    folder = rendered.output("dev")
    before, contents = snapshot(folder), tree(folder)
    rendered.write(
        "inventories/group_vars/dev/main.yml",
        f"---\n{like_dev('another-one')}".replace("delivery: environment", "delivery: file")
        + "stack_project: desafio3\nstack_container_prefix: ''\napi_port: 5044\n",
    )
    ahead = rendered.render(*SETTINGS, "--check", "--diff")
    assert ahead.returncode == 0, ahead.output
    assert ahead.results["dev-host"]["changed"]
    assert snapshot(folder) == before

    done = rendered.render(*SETTINGS, "--diff")
    assert shown(done.results["dev-host"], folder) == shown(ahead.results["dev-host"], folder)
    after = tree(folder)
    changes = shown(ahead.results["dev-host"], folder)
    touched = {
        path for path in before.keys() | after.keys() if contents.get(path) != after.get(path)
    }
    assert changes.keys() == touched - {"manifest.json"}
    assert {
        "docker-compose.yml",
        "env/api-web.env",
        "secrets/embedded/banco-dados/db_password",
    } <= changes.keys()
    for path, (old, new) in changes.items():
        assert old or path not in contents
        assert new or path not in after
    assert "another-one" not in ahead.output + done.output
    assert "admin123" not in ahead.output + done.output


def test_the_first_look_ahead_does_not_even_make_the_folder(project: Project) -> None:
    run = project.render(*SETTINGS, "--check", "--diff")
    assert run.returncode == 0, run.output
    assert "docker-compose.yml" in shown(run.results["dev-host"], project.output("dev"))
    assert not project.output("dev").exists()


def test_what_is_no_longer_rendered_is_removed(rendered: Project) -> None:
    secrets = ("-e", "secrets_delivery=file")
    assert rendered.render(*SETTINGS, *secrets).returncode == 0
    path = rendered.output("dev") / "secrets/embedded/banco-dados/db_password"
    assert path.read_text(encoding="utf-8") == "admin123"
    assert rendered.render(*SETTINGS).returncode == 0
    left = {path for path in tree(rendered.output("dev")) if path.startswith("secrets/")}
    assert left == {"secrets/embedded/cache-redis/users.acl"}
    assert sorted(
        path.name for path in (rendered.output("dev") / "secrets/embedded").iterdir()
    ) == ["cache-redis"]


def test_a_file_edited_by_hand_is_named_and_kept_until_told_otherwise(rendered: Project) -> None:
    folder = rendered.output("dev")
    edited = folder / "docker-compose.yml"
    original = edited.read_bytes()
    edited.write_bytes(original + b"# mine\n")
    before = snapshot(folder)

    refused = rendered.render(*SETTINGS, "-e", "api_port=5044")
    assert refused.returncode != 0
    said = refused.results["dev-host"]["msg"]
    assert said.startswith("environment dev: 1 problem, nothing was written")
    assert "docker-compose.yml: was edited by hand since the last rendering" in said
    assert str(edited) in said
    assert "-e render_overwrite_edits=true" in said
    assert snapshot(folder) == before

    told = rendered.render(*SETTINGS, "-e", "render_overwrite_edits=true")
    assert told.returncode == 0, told.output
    assert edited.read_bytes() == original


def test_a_file_in_the_way_is_a_clear_failure_that_replaces_nothing(rendered: Project) -> None:
    rendered.write("generated/elsewhere", "a file where a folder is asked for")
    run = rendered.render(*SETTINGS, "-e", f"stack_output_dir={rendered.output('elsewhere')}")
    assert run.returncode != 0
    said = run.results["dev-host"]["msg"]
    assert "environment dev: 1 problem, nothing was written" in said
    assert "stack_output_dir: " in said
    assert str(rendered.output("elsewhere")) in said
    assert "Traceback" not in run.output


def test_a_folder_in_the_place_of_a_file_is_a_clear_failure(rendered: Project) -> None:
    target = rendered.output("dev") / "env/api-web.env"
    target.unlink()
    target.mkdir()
    run = rendered.render(*SETTINGS)
    assert run.returncode != 0
    said = run.results["dev-host"]["msg"]
    assert "stack_output_dir: Is a directory; nothing was replaced" in said
    assert str(target) in said


def test_a_disk_that_takes_no_more_is_a_clear_failure(rendered: Project) -> None:
    before = snapshot(rendered.output("dev"))
    rendered.write(
        "inventories/group_vars/dev/text.yml", f"api_environment: {{A: {'x' * 300_000}}}\n"
    )
    run = rendered.render(*SETTINGS, largest_file=250_000)
    assert run.returncode != 0
    said = run.results["dev-host"]["msg"]
    assert said.startswith("environment dev: nothing was written")
    assert "the files cannot be checked: " in said
    assert "File too large; free some space there" in said
    assert snapshot(rendered.output("dev")) == before


def test_an_environment_from_scratch_is_one_inventory_and_one_folder(project: Project) -> None:
    project.environment("staging", "api_port: 5200", vault=good_vault())
    run = project.render(*SETTINGS, "-i", "inventories/staging.yml")
    assert run.returncode == 0, run.output
    compose = (project.output("staging") / "docker-compose.yml").read_text(encoding="utf-8")
    for text in (
        'name: "desafio3-staging"',
        '"staging-api-web"',
        '"127.0.0.1:5200:5000"',
        "staging_dados_postgres",
    ):
        assert text in compose
    again = project.render(*SETTINGS, "-i", "inventories/staging.yml")
    assert again.results["staging-host"]["changed"] is False


def test_all_environments_render_in_one_run_side_by_side(project: Project) -> None:
    project.environment("staging", "api_port: 5200", vault=good_vault())
    vault = encrypted(good_vault("another-good-one-4711"))
    project.write("inventories/group_vars/prod/vault.yml", vault)
    run = project.render(*SETTINGS, "-i", "inventories")
    assert run.returncode == 0, run.output
    for name in ("dev", "prod", "staging"):
        assert run.results[f"{name}-host"]["changed"]
        assert (project.output(name) / "docker-compose.yml").is_file()
    path = project.output("prod") / "secrets/embedded/banco-dados/db_password"
    assert path.read_text(encoding="utf-8") == "another-good-one-4711"


def test_compose_without_an_engine_is_refused_with_the_way_out(
    project: Project, tmp_path: Path
) -> None:
    run = project.run(
        *("playbooks/render.yml", "-e", "stack_runtime=compose"),
        structured=True,
        variables={"DOCKER_HOST": f"unix://{tmp_path}/nothing.sock"},
    )
    assert run.returncode != 0
    said = run.results["dev-host"]["msg"]
    assert "stack_runtime: is compose, but " in said
    assert "`make engine`" in said
    assert not project.output("dev").exists()


def test_a_broken_template_is_named_and_nothing_is_written(project: Project) -> None:
    path = project.folder / "templates/services/api-web.yml.j2"
    for text, said in (
        ("{{ nothing_here }}", "'nothing_here' is undefined"),
        ("{% if %}", "templates/services/api-web.yml.j2:"),
    ):
        path.write_text(text, encoding="utf-8")
        run = project.render(*SETTINGS)
        assert run.returncode != 0
        assert said in run.results["dev-host"]["msg"]
        assert run.results["dev-host"]["msg"].startswith("environment dev: nothing was written")
        assert "Traceback" not in run.output
    assert not project.output("dev").exists()


def test_a_template_that_compose_would_refuse_is_caught_before_anything_is_written(
    project: Project,
) -> None:
    path = project.folder / "templates/service.yml.j2"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("restart: unless-stopped", "restrat: unless-stopped"), encoding="utf-8"
    )
    run = project.render(*SETTINGS)
    assert run.returncode != 0
    assert "does not fit the Compose specification" in run.results["dev-host"]["msg"]
    assert not project.output("dev").exists()


def test_one_run_resolves_and_renders_an_environment_once_and_a_playbook_alone_looks_itself(
    project: Project, tmp_path: Path
) -> None:
    for name, port in (("one", 5044), ("two", 5054)):
        count = f"echo {name} >> {tmp_path}/resolved; echo text"
        lookup = f"{{{{ lookup('ansible.builtin.pipe', '{count}') }}}}"
        project.environment(
            name,
            f'{like_dev(f"{name}-pT7-unlikely")}api_port: {port}\nstack_labels: {{counted: "{lookup}"}}\n',
        )
    both = ("-i", "inventories/one.yml", "-i", "inventories/two.yml", *SETTINGS)

    run = project.run("site.yml", "--tags", "validate,render,build", "-vvv", *both)
    assert run.returncode == 0, run.output
    assert sorted((tmp_path / "resolved").read_text().split()) == ["one", "two"]
    assert "Read what was rendered" not in run.output
    assert "the embedded runtime runs app/ as it is" in run.output
    assert "pT7-unlikely" not in run.output

    alone = project.run("playbooks/build.yml", *both)
    assert alone.returncode == 0, alone.output
    assert sorted((tmp_path / "resolved").read_text().split()) == ["one", "one", "two", "two"]

    with (project.folder / "templates/docker-compose.yml.j2").open("a") as template:
        template.write("# changed\n")
    stale = project.run("playbooks/build.yml", *both)
    assert stale.returncode != 0
    assert stale.output.count("is out of date: settings, templates or sources changed") == 2


def test_a_look_ahead_at_a_change_leaves_it_to_the_build_to_say_what_is_missing(
    rendered: Project,
) -> None:
    ahead = ("site.yml", "--tags", "render,build", "--check", *SETTINGS)
    assert rendered.run(*ahead).returncode == 0
    changed = rendered.run(*ahead, "-e", "api_port=5044")
    assert changed.returncode != 0
    assert "is out of date: settings, templates or sources changed" in changed.output
