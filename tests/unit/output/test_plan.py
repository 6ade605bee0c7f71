"""A tree of files is written all together or not at all, and never over somebody's edit."""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from stackwright.output.apply import diff_of
from stackwright.output.manifest import MANIFEST, NEXT_MANIFEST, TreeError, read_manifest
from stackwright.output.plan import Plan, digest, plan_tree
from stackwright.output.write import apply_plan
from stackwright.rendering.files import RenderedFile

from tests.support.project import tree

AS_ROOT = os.geteuid() == 0
NOBODY = 65534
FIRST = {
    "docker-compose.yml": "one",
    "env/api.env": "A=1",
    "secrets/api/key": "first secret",
    "old/file": "old",
}
SECOND = {
    "docker-compose.yml": "two",
    "env/api.env": "A=2",
    "secrets/api/key": "second secret",
    "new/file": "new",
}
THIRD = {"docker-compose.yml": "three", "env/api.env": "A=3"}


def files(contents: Mapping[str, str]) -> dict[str, RenderedFile]:
    found = {path: RenderedFile(text.encode()) for path, text in contents.items()}
    for path, file in found.items():
        if path.startswith("secrets/"):
            found[path] = RenderedFile(file.content, 0o400, 12345 if AS_ROOT else os.geteuid())
    return found


def plan(root: Path, contents: Mapping[str, str]) -> Plan:
    return plan_tree(root, files(contents), {"environment": "shop"})


def write(root: Path, contents: Mapping[str, str]) -> None:
    apply_plan(plan(root, contents))


def modes(root: Path, folders: Iterable[str]) -> dict[str, int]:
    return {folder: (root / folder).stat().st_mode & 0o777 for folder in folders}


def assert_holds(root: Path, contents: Mapping[str, str]) -> None:
    found = tree(root)
    del found[MANIFEST]
    assert found == {path: text.encode() for path, text in contents.items()}
    assert plan(root, contents).is_noop


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An environment's folder with the first tree in it."""
    write(tmp_path / "shop", FIRST)
    return tmp_path / "shop"


def test_a_first_run_writes_everything_and_a_second_changes_nothing(root: Path) -> None:
    assert_holds(root, FIRST)
    before = {path: (root / path).stat().st_ino for path in tree(root)}
    write(root, FIRST)
    assert {path: (root / path).stat().st_ino for path in FIRST} == {
        path: before[path] for path in FIRST
    }


def test_the_next_tree_replaces_what_changed_and_prunes_what_is_gone_with_its_folder(
    root: Path,
) -> None:
    coming = plan(root, SECOND)
    assert coming.changed == ["docker-compose.yml", "env/api.env", "new/file", "secrets/api/key"]
    assert coming.pruned == ["old/file"]
    assert coming.edited == []
    apply_plan(coming)
    assert_holds(root, SECOND)
    assert not (root / "old").exists()


def test_pruning_leaves_folders_with_other_files_alone(root: Path) -> None:
    (root / "old/mine").write_text("not rendered", encoding="utf-8")
    write(root, SECOND)
    assert (root / "old/mine").read_text(encoding="utf-8") == "not rendered"
    assert not (root / "old/file").exists()


def test_the_manifest_records_hashes_and_what_it_is_told_but_no_content(root: Path) -> None:
    manifest = read_manifest(root)
    assert manifest["environment"] == "shop"
    assert manifest["files"].keys() == FIRST.keys()
    assert "first secret" not in (root / MANIFEST).read_text(encoding="utf-8")
    assert (root / MANIFEST).stat().st_mode & 0o777 == 0o600


def test_a_change_of_the_record_alone_is_a_change(root: Path) -> None:
    coming = plan_tree(root, files(FIRST), {"environment": "other"})
    assert coming.changed == []
    assert not coming.is_noop
    apply_plan(coming)
    assert read_manifest(root)["environment"] == "other"


@pytest.fixture
def ordinary_user(tmp_path: Path) -> Iterator[Path]:
    """A folder of somebody who is not root, and the rights to go with it."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    os.chown(folder, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


class TestModes:
    def test_an_ordinary_user_keeps_secrets_in_a_closed_folder(self, ordinary_user: Path) -> None:
        write(ordinary_user, FIRST)
        status = (ordinary_user / "secrets/api/key").stat()
        assert (status.st_mode & 0o777, status.st_uid) == (0o444, os.geteuid())
        assert (ordinary_user / "secrets").stat().st_mode & 0o777 == 0o700
        assert plan(ordinary_user, FIRST).is_noop

    def test_secrets_are_for_their_reader_only(self, root: Path) -> None:
        status = (root / "secrets/api/key").stat()
        assert (status.st_mode & 0o777, status.st_uid) == (
            (0o400, 12345) if AS_ROOT else (0o444, os.geteuid())
        )
        assert (root / "secrets").stat().st_mode & 0o777 == (0o711 if AS_ROOT else 0o700)

    def test_a_changed_mode_is_repaired_without_being_an_edit(self, root: Path) -> None:
        (root / "secrets/api/key").chmod(0o644)
        coming = plan(root, FIRST)
        assert (coming.mode_changes, coming.changed, coming.edited) == (["secrets/api/key"], [], [])
        apply_plan(coming)
        assert_holds(root, FIRST)

    @pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077])
    def test_the_umask_does_not_matter(self, mask: int, tmp_path: Path) -> None:
        root = tmp_path / "generated/shop"
        before = os.umask(mask)
        try:
            write(root, FIRST)
        finally:
            os.umask(before)
        assert (root / "docker-compose.yml").stat().st_mode & 0o777 == 0o644
        closed = 0o711 if AS_ROOT else 0o700
        wanted = {"..": 0o755, ".": 0o755, "env": 0o755, "old": 0o755}
        wanted |= {"secrets": closed, "secrets/api": closed}
        assert modes(root, wanted) == wanted
        assert_holds(root, FIRST)

    @pytest.mark.parametrize("wrong", [0o700, 0o777])
    def test_a_folder_with_another_mode_is_planned_shown_and_corrected(
        self, wrong: int, root: Path
    ) -> None:
        (root / "env").chmod(wrong)
        coming = plan(root, FIRST)
        assert (coming.mode_changes, coming.changed, coming.is_noop) == (["env"], [], False)
        shown = diff_of(coming, [])
        assert [(entry["before_header"], entry["after"]) for entry in shown] == [
            (str(root / "env"), f"mode 0755, user id {os.geteuid()}\n")
        ]
        apply_plan(coming)
        assert modes(root, ["env"]) == {"env": 0o755}
        assert_holds(root, FIRST)

    def test_the_environments_own_folder_may_be_closed_but_not_open_to_writers(
        self, root: Path
    ) -> None:
        root.chmod(0o700)
        assert plan(root, FIRST).is_noop
        root.chmod(0o2777)
        write(root, FIRST)
        assert root.stat().st_mode & 0o7777 == 0o2755


class TestEdits:
    @pytest.mark.parametrize("path", sorted(FIRST))
    def test_a_file_edited_by_hand_is_named(self, path: str, root: Path) -> None:
        (root / path).chmod(0o600)
        (root / path).write_text("by hand", encoding="utf-8")
        assert plan(root, FIRST).edited == [path]
        assert plan(root, SECOND).edited == [path]

    def test_an_edit_to_what_would_be_rendered_anyway_is_none(self, root: Path) -> None:
        (root / "docker-compose.yml").write_text("two", encoding="utf-8")
        assert plan(root, SECOND).edited == []

    def test_told_to_it_overwrites(self, root: Path) -> None:
        (root / "docker-compose.yml").write_text("by hand", encoding="utf-8")
        write(root, FIRST)
        assert_holds(root, FIRST)

    def test_a_deleted_file_is_written_again(self, root: Path) -> None:
        (root / "env/api.env").unlink()
        assert plan(root, FIRST).edited == []
        write(root, FIRST)
        assert_holds(root, FIRST)

    def test_a_file_that_was_never_ours_is_not_overwritten_unasked(self, tmp_path: Path) -> None:
        (tmp_path / "docker-compose.yml").write_text("somebody's", encoding="utf-8")
        assert plan(tmp_path, FIRST).edited == ["docker-compose.yml"]

    @pytest.mark.parametrize("damage", ["", "{", "[]", '{"files": []}', '"text"', "\0"])
    def test_without_a_readable_manifest_nothing_that_differs_is_ours(
        self, damage: str, root: Path
    ) -> None:
        (root / MANIFEST).write_text(damage, encoding="utf-8")
        assert plan(root, SECOND).edited == ["docker-compose.yml", "env/api.env", "secrets/api/key"]
        assert plan(root, FIRST).edited == []

    def test_a_link_to_elsewhere_is_replaced_and_not_followed(
        self, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").write_text("mine", encoding="utf-8")
        (root / "docker-compose.yml").unlink()
        (root / "docker-compose.yml").symlink_to(tmp_path / "elsewhere")
        write(root, FIRST)
        assert (tmp_path / "elsewhere").read_text(encoding="utf-8") == "mine"
        assert_holds(root, FIRST)


def outside(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    """A folder beside the environment's that nothing may touch, and what is in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("api.env", "precious", ".precious.0123abcd"):
        (folder / name).write_text("somebody's", encoding="utf-8")
    return folder, tree(folder)


class TestOutside:
    """Nothing is written, removed or given another mode outside of the environment's folder."""

    @pytest.mark.parametrize("name", [MANIFEST, NEXT_MANIFEST])
    @pytest.mark.parametrize(
        "path",
        [
            "../outside/precious",
            "{outside}/precious",
            "env/../../outside/precious",
            "env//x",
            ".",
            "",
        ],
    )
    def test_a_manifest_that_names_another_place_is_refused(
        self, path: str, name: str, root: Path, tmp_path: Path
    ) -> None:
        folder, before = outside(tmp_path)
        path = path.format(outside=folder)
        files = {path: digest(b"somebody's"), "old/file": digest(b"old")}
        (root / name).write_text(json.dumps({"files": files}), encoding="utf-8")
        ours = tree(root)
        with pytest.raises(TreeError) as refused:
            write(root, SECOND)
        assert str(refused.value).startswith(f"{root / name}: names {path!r}, which is not below")
        assert tree(folder) == before
        assert tree(root) == ours

    @pytest.mark.parametrize("hashes", [5, None, {}, [5], True])
    def test_a_manifest_without_hashes_is_refused(self, hashes: object, root: Path) -> None:
        text = json.dumps({"files": {"env/api.env": hashes}})
        (root / MANIFEST).write_text(text, encoding="utf-8")
        with pytest.raises(TreeError, match="manifest.json: has no hash for 'env/api.env'"):
            plan(root, SECOND)

    @pytest.mark.parametrize("contents", [FIRST, {"docker-compose.yml": "two"}])
    def test_a_link_in_place_of_a_folder_is_refused(
        self, contents: dict[str, str], root: Path, tmp_path: Path
    ) -> None:
        folder, before = outside(tmp_path)
        shutil.rmtree(root / "env")
        (root / "env").symlink_to(folder)
        with pytest.raises(TreeError, match=f"{root}/env: is a link"):
            write(root, contents)
        assert tree(folder) == before

    def test_a_link_in_place_of_a_file_is_replaced_and_its_target_keeps_its_mode(
        self, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").write_text(FIRST["docker-compose.yml"], encoding="utf-8")
        (tmp_path / "elsewhere").chmod(0o600)
        (root / "docker-compose.yml").unlink()
        (root / "docker-compose.yml").symlink_to(tmp_path / "elsewhere")
        coming = plan(root, FIRST)
        assert (coming.changed, coming.edited) == (["docker-compose.yml"], [])
        apply_plan(coming)
        assert not (root / "docker-compose.yml").is_symlink()
        assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("path", ["docker-compose.yml", "old/file", MANIFEST, NEXT_MANIFEST])
    def test_a_folder_in_the_place_of_a_file_is_named_and_nothing_is_replaced(
        self, path: str, root: Path
    ) -> None:
        (root / path).unlink(missing_ok=True)
        (root / path).mkdir()
        before = tree(root)
        with pytest.raises(IsADirectoryError) as refused:
            write(root, SECOND)
        assert str(root / path) in (refused.value.filename, refused.value.filename2)
        assert tree(root) == before


class TestNothingOrAll:
    """A file that cannot be written leaves everything as it was."""

    @contextmanager
    def small_files_only(self) -> Iterator[None]:
        """As on a full disk, the kernel refuses to let a file grow."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def test_a_full_disk_replaces_nothing(self, root: Path) -> None:
        before = tree(root)
        with self.small_files_only(), pytest.raises(OSError, match="File too large"):
            write(root, {**SECOND, "zz/last": "x" * 20_000})
        assert tree(root) == before
        assert_holds(root, FIRST)

    def test_a_folder_in_the_way_of_a_file_replaces_nothing(self, root: Path) -> None:
        (root / "blocked").write_text("a file", encoding="utf-8")
        before = tree(root)
        with pytest.raises(OSError, match=r"exists|Not a directory"):
            write(root, {**SECOND, "blocked/file": "x"})
        assert tree(root) == before

    def test_a_folder_that_may_not_be_written_replaces_nothing(self, ordinary_user: Path) -> None:
        root = ordinary_user / "shop"
        write(root, FIRST)
        before = tree(root)
        (root / "env").chmod(0o500)
        with pytest.raises(PermissionError):
            write(root, SECOND)
        assert tree(root) == before

    def test_a_root_that_cannot_be_made_is_an_error(self, ordinary_user: Path) -> None:
        ordinary_user.chmod(0o500)
        with pytest.raises(PermissionError):
            write(ordinary_user / "shop", FIRST)


def killed_at(step: int, action: Callable[[], None]) -> bool:
    """Run ``action`` in a process that dies before its ``step``-th system call of these. Whether it died."""
    child = os.fork()
    if child == 0:
        counter = itertools.count(1)

        def dying(call: Callable[..., object]) -> Callable[..., object]:
            def wrapped(*arguments: object, **options: object) -> object:
                if next(counter) == step:
                    os._exit(9)  # as a power cut: no clean-up of Python's runs
                return call(*arguments, **options)

            return wrapped

        for name in ("open", "replace", "unlink", "rmdir", "mkdir", "fchmod", "chmod"):
            setattr(os, name, dying(getattr(os, name)))
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


def steps_of(action: Callable[[int], bool]) -> int:
    """Call ``action`` with 1, 2, … until it is not killed any more; how many steps there were."""
    step = next(step for step in itertools.count(1) if not action(step))
    return step - 1


class TestKilled:
    """A run that is killed anywhere is completed by the next one, and its files are never called edits."""

    def test_the_next_run_completes_it(self, tmp_path: Path) -> None:
        def run(step: int) -> bool:
            root = tmp_path / str(step)
            write(root, FIRST)
            died = killed_at(step, lambda: write(root, SECOND))
            assert plan(root, SECOND).edited == []
            write(root, SECOND)
            assert_holds(root, SECOND)
            return died

        assert steps_of(run) >= 12

    def test_the_next_run_may_have_other_settings(self, tmp_path: Path) -> None:
        def run(step: int) -> bool:
            root = tmp_path / str(step)
            write(root, FIRST)
            died = killed_at(step, lambda: write(root, SECOND))
            for contents in (FIRST, THIRD):
                assert plan(root, contents).edited == []
            write(root, THIRD)
            assert_holds(root, THIRD)
            return died

        assert steps_of(run) >= 12

    @pytest.mark.parametrize("second_step", [3, 8, 11, 14, 17])
    def test_the_next_run_may_be_killed_too(self, second_step: int, tmp_path: Path) -> None:
        def run(step: int) -> bool:
            root = tmp_path / str(step)
            write(root, FIRST)
            died = killed_at(step, lambda: write(root, SECOND))
            killed_at(second_step, lambda: write(root, THIRD))
            assert plan(root, FIRST).edited == []
            write(root, FIRST)
            assert_holds(root, FIRST)
            return died

        assert steps_of(run) >= 12

    def test_an_edit_made_after_the_kill_is_still_an_edit(self, tmp_path: Path) -> None:
        def run(step: int) -> bool:
            root = tmp_path / str(step)
            write(root, FIRST)
            died = killed_at(step, lambda: write(root, SECOND))
            (root / "env/api.env").write_text("by hand", encoding="utf-8")
            assert plan(root, SECOND).edited == ["env/api.env"]
            return died

        assert steps_of(run) >= 12

    def test_a_first_run_killed_anywhere_is_completed(self, tmp_path: Path) -> None:
        def run(step: int) -> bool:
            root = tmp_path / str(step)
            died = killed_at(step, lambda: write(root, FIRST))
            assert plan(root, SECOND).edited == []
            write(root, SECOND)
            assert_holds(root, SECOND)
            return died

        assert steps_of(run) >= 10

    def test_what_is_left_after_a_kill_counts_as_something_to_do(self, root: Path) -> None:
        (root / NEXT_MANIFEST).write_text(json.dumps({"files": {}}), encoding="utf-8")
        assert not plan(root, FIRST).is_noop
        write(root, FIRST)
        assert not (root / NEXT_MANIFEST).exists()
