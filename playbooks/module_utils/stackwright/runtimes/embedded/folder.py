"""Where the embedded runtime of one environment keeps its things: ``<output>/embedded/``."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .errors import EmbeddedError

NOT_RENDERED = "render the environment first: ansible-playbook playbooks/render.yml"


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
            raise EmbeddedError(
                f"{self.config} belongs to another user; work as that user"
            ) from None
        return parser

    @property
    def programs(self) -> list[str]:
        """Names of the programs in start order. Raises EmbeddedError when nothing is rendered."""
        return [
            name.removeprefix("program:")
            for name in self._parsed.sections()
            if name.startswith("program:")
        ]

    @property
    def socket(self) -> Path:
        """The Unix socket of supervisord. Raises EmbeddedError when nothing is rendered."""
        return Path(self._parsed["unix_http_server"]["file"].replace("%(here)s", str(self.root)))

    def prepare(self) -> None:
        """Create the folders that are not there yet. Raises EmbeddedError where that is not safe or not allowed."""
        try:
            # Others may pass through data, not look: PostgreSQL's own folder below it is another user's.
            for path, mode in ((self.data, 0o711), (self.root / "logs", 0o700), (self.run, 0o700)):
                path.mkdir(mode=mode, exist_ok=True)
                path.chmod(mode)
            if self.socket.parent != self.run:
                self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"{error.filename}: {error.strerror}; work as the user who owns it"
            ) from None
        status = self.socket.parent.lstat()
        if status.st_uid != os.geteuid() or (status.st_mode & 0o170077) != 0o040000:
            reason = (
                "is not a folder that belongs to us alone, and supervisord's socket would lie in it"
            )
            raise EmbeddedError(
                f"{self.socket.parent} {reason}; remove it, or use a shorter stack_output_dir"
            )
