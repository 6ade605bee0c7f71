"""Vaults are committed: one that is not encrypted is named, with the command that mends it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import check
from tests.support.project import encrypted
from tests.support.vaults import plain_vaults


def test_only_what_is_not_encrypted_is_found(tmp_path: Path) -> None:
    for name, text in (
        ("a/vault.yml", encrypted("vault_db_password: x\n")),
        ("b/vault.yml", "vault_db_password: x\n"),
        ("c/vault.yaml", "---\n"),
        ("d/vault.yml", ""),
        ("e/main.yml", "api_port: 1\n"),
    ):
        path = tmp_path / "inventories/group_vars" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = [str(path) for path in plain_vaults(tmp_path)]
    assert found == [f"inventories/group_vars/{name}" for name in ("b/vault.yml", "c/vault.yaml")]


def test_vaults_are_not_ignored_by_git_and_no_matter_for_yamllint() -> None:
    path = "inventories/group_vars/prod/vault.yml"
    ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=check.ROOT, check=False)
    assert ignored.returncode == 1
    assert "vault.yml" in (check.ROOT / ".yamllint").read_text()


def test_all_checks_run_and_the_last_line_names_those_that_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("inventories/group_vars/shop/vault.yml")
    monkeypatch.setattr(check, "plain_vaults", lambda root: [path])
    monkeypatch.setattr(
        check, "CHECKS", {"first": lambda: "is wrong", "vaults": check._vaults, "last": str}
    )
    assert check.main([]) == 1
    said = capsys.readouterr().out
    assert f"{path}: is plain text" in said
    assert f"ansible-vault encrypt {path}" in said
    assert "ok     last" in said
    assert said.splitlines()[-1] == "2 of 3 checks failed: first, vaults"
    assert check.main(["last"]) == 0
    assert check.main(["none"]) == 2
