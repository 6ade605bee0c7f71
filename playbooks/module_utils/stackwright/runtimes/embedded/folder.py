"""Where the embedded runtime of one environment keeps its things: ``<output>/embedded/``, the programs' logs too."""

from __future__ import annotations

import configparser
import os
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

NOT_RENDERED = "render the environment first: ansible-playbook playbooks/render.yml"
OWN_LOG = "supervisord"


class EmbeddedError(Exception):
    """Something that the user has to know; the message says what is wrong and what to do, and holds no secret."""


class ProgramError(EmbeddedError):
    """A program does not come up. What it printed says why, and is not understood here."""


@dataclass(frozen=True)
class Folder:
    """Paths below ``root``. Rendered: supervisord.conf, launch.py, <program>.json. Written: data, logs, run."""

    root: Path

    @property
    def config(self) -> Path:
        """The configuration of supervisord and supervisorctl."""
        return self.root / "supervisord.conf"

    @property
    def data(self) -> Path:
        """What outlives a stop."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """What is worth nothing after a stop: process ids, sockets, locks. Only our own user may enter."""
        return self.root / "run"

    @property
    def password_file(self) -> Path:
        """Password file of libpq, for migrations, verification and people."""
        return self.run / "pgpass"

    def log(self, program: str) -> Path:
        """What a program printed, rotated by supervisord."""
        return self.root / "logs" / f"{program}.log"

    def record(self, program: str) -> Path:
        """What the launcher noted about the running process."""
        return self.run / f"{program}.json"

    @cached_property
    def _parsed(self) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(interpolation=None, comment_prefixes=(";",))
        try:
            parser.read_string(self.config.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise EmbeddedError(f"{self.config} is missing; {NOT_RENDERED}") from None
        except PermissionError:
            raise anothers(self.config) from None
        return parser

    @property
    def programs(self) -> list[str]:
        """Names of the programs in start order. Raises EmbeddedError when nothing is rendered."""
        sections = (name.partition(":") for name in self._parsed.sections())
        return [name for kind, _, name in sections if kind == "program"]

    @property
    def socket(self) -> Path:
        """The Unix socket of supervisord. Raises EmbeddedError when nothing is rendered."""
        return Path(self._parsed["unix_http_server"]["file"].replace("%(here)s", str(self.root)))

    def prepare(self) -> None:
        """Create the folders that are not there yet. Raises EmbeddedError where that is not safe or not allowed."""
        place = self.socket.parent
        try:
            # Others may pass through data, not look: PostgreSQL's own folder below it is another user's.
            for path, mode in ((self.data, 0o711), (self.root / "logs", 0o700), (self.run, 0o700)):
                path.mkdir(mode=mode, exist_ok=True)
                path.chmod(mode)
            place.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"{error.filename}: {error.strerror}; work as the user who owns it"
            ) from None
        status = place.lstat()
        if status.st_uid != os.geteuid() or (status.st_mode & 0o170077) != 0o040000:
            raise EmbeddedError(
                f"{place} is not a folder that belongs to us alone, and supervisord's socket would lie in it; remove "
                "it, or use a shorter stack_output_dir"
            )


def anothers(path: Path) -> EmbeddedError:
    """What to say of a file that another user has."""
    return EmbeddedError(f"{path} belongs to another user; work as that user")


def size_of(log: Path) -> int:
    """How many bytes a log has; 0 where there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def last_lines(folder: Folder, program: str, count: int, beyond: int = 0) -> list[str]:
    """The last ``count`` lines of a program's log, reaching back into the file rotated last; [] without a log.

    ``beyond`` leaves out the first bytes of the log, and all of it where it was rotated since it had so many.
    """
    path = folder.log(program)
    lines: deque[str] = deque(maxlen=count)
    try:
        for file in (path,) if beyond else (path.with_name(f"{path.name}.1"), path):
            if file.exists():
                with file.open(encoding="utf-8", errors="replace") as stream:
                    stream.seek(beyond if beyond <= size_of(path) else 0)
                    lines.extend(line.rstrip("\n") for line in stream)
    except PermissionError:
        raise anothers(path) from None
    return list(lines)


def logs(folder: Folder, program: str, count: int) -> dict[str, list[str]]:
    """Last lines of one program, or of all for an empty name. Raises EmbeddedError for a name that is none."""
    names = folder.programs
    if program and program not in [*names, OWN_LOG]:
        raise EmbeddedError(
            f"service {program} is unknown; there are {', '.join(names)}, and {OWN_LOG} itself"
        )
    return {name: last_lines(folder, name, count) for name in ([program] if program else names)}
