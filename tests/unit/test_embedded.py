"""The embedded runtime's small parts, without a running environment."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stackwright import layout
from stackwright.embedded.database import password_line
from stackwright.embedded.errors import EmbeddedError
from stackwright.embedded.fingerprint import fingerprint
from stackwright.embedded.folder import Folder
from stackwright.embedded.logs import last_lines, logs
from stackwright.embedded.ports import check_ports
from stackwright.embedded.processes import Started, boot_id, read_started, start_ticks
from stackwright.embedded.program import Program, load_program
from stackwright.embedded.redis_cli import encode, read_reply
from stackwright.embedded.status import Row
from supervisor.options import ServerOptions

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)


def make_program(**changes: Any) -> Program:
    program = Program("api-web", [sys.executable], {}, "nobody", 21450, "http", "/project", [], [])
    return replace(program, **changes)


def render_config(folder: Path, python: str) -> Folder:
    """supervisord.conf below ``folder``, for an interpreter at any path."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = (layout.TEMPLATES / "embedded" / "supervisord.conf.j2").read_text()
    names = ("banco-dados", "cache-redis", "api-web")
    values: Mapping[str, Any] = {
        "stack_environment": "dev",
        "stack_output_dir": str(folder.parent),
        "stack_log_max_size": "10m",
        "stack_log_max_files": 3,
        "embedded_db_port": 31450,
        "python": python,
        "services": [{"name": name} for name in names],
    }
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "run").mkdir(exist_ok=True)
    (folder / "supervisord.conf").write_text(environment.from_string(source).render(values), "utf-8")
    return Folder(folder)


@pytest.mark.parametrize("python", ["/usr/bin/python3", "/a b/%(here)s/100%s/x ;y #z/\"q\"/'s/\\t/é🎉"])
def test_supervisord_reads_its_configuration_as_meant(tmp_path: Path, python: str) -> None:
    folder = render_config(tmp_path / "o %s ;x #y \"u't é" / "embedded", python)
    options = ServerOptions()
    options.realize(["-c", str(folder.config)])
    programs = [group.process_configs[0] for group in options.process_group_configs]
    assert [program.name for program in programs] == folder.programs
    for program in programs:
        process = program.make_process(None)
        # What a missing interpreter is reported with is the path that was looked for.
        with pytest.raises(Exception, match="can't find command") if python != "/usr/bin/python3" else _nothing() as e:
            assert process.get_execv_args()[1] == [python, "-I", "launch.py", program.name]
        assert e is None or python in str(e.value)
        assert program.stdout_logfile == str(folder.log(program.name))
        assert program.stdout_logfile_maxbytes == 10 * 1024 * 1024
        assert program.stdout_logfile_backups == 2
    assert str(folder.socket) == options.server_configs[0]["file"]
