"""The embedded runtime's small parts, without a running environment."""

from __future__ import annotations

import io
import os
import signal
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
from stackwright.environment import environment_of
from stackwright.images.references import service_images
from stackwright.runtimes.embedded import commands
from stackwright.runtimes.embedded.database import password_line
from stackwright.runtimes.embedded.errors import EmbeddedError
from stackwright.runtimes.embedded.fingerprint import fingerprint
from stackwright.runtimes.embedded.folder import Folder
from stackwright.runtimes.embedded.logs import last_lines, logs
from stackwright.runtimes.embedded.ports import check_ports
from stackwright.runtimes.embedded.processes import Started, boot_id, read_started, start_ticks
from stackwright.runtimes.embedded.program import Program, load_program
from stackwright.runtimes.embedded.redis_cli import encode, read_reply
from stackwright.runtimes.embedded.status import Row
from stackwright.system import run
from supervisor.options import ServerOptions

from tests.support.resolving import dev_values

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)


def make_program(**changes: Any) -> Program:
    program = Program(
        "api-web", [sys.executable], {}, "nobody", 21450, "http", "/project", "shop", []
    )
    return replace(program, **changes)


def render_config(folder: Path, python: str) -> Folder:
    """supervisord.conf below ``folder``, for an interpreter at any path."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = (layout.TEMPLATES / "embedded" / "supervisord.conf.j2").read_text()
    settings = dev_values(embedded_db_port=31450)
    place = layout.place_of("dev", folder.parent, remote=False)
    values: Mapping[str, Any] = {
        "stack_environment": "dev",
        "stack_output_dir": str(folder.parent),
        "stack_log_max_size": "10m",
        "stack_log_max_files": 3,
        "python": python,
        "environment": environment_of(
            settings, service_images(settings, "registry"), place, "embedded"
        ),
    }
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "run").mkdir(exist_ok=True)
    (folder / "supervisord.conf").write_text(
        environment.from_string(source).render(values), "utf-8"
    )
    return Folder(folder)


@pytest.mark.parametrize("name", ["plain", 'a b %(here)s 100%s ;y #z "q" \'s \\t é🎉'])
def test_supervisord_reads_its_configuration_as_meant(tmp_path: Path, name: str) -> None:
    python = tmp_path / name / "python3"
    python.parent.mkdir()
    python.touch(0o755)
    folder = render_config(tmp_path / f"o {name}" / "embedded", str(python))
    options = ServerOptions()
    options.realize(["-c", str(folder.config)])
    programs = [group.process_configs[0] for group in options.process_group_configs]
    assert [program.name for program in programs] == ["banco-dados", "cache-redis", "api-web"]
    assert folder.programs == ["banco-dados", "cache-redis", "api-web"]
    for program in programs:
        words = [str(python), "-I", "launch.py", program.name]
        assert program.make_process(None).get_execv_args() == (str(python), words)
        assert program.directory == str(folder.root)
        assert program.stdout_logfile == str(folder.log(program.name))
        assert program.stdout_logfile_maxbytes == 10 * 1024 * 1024
        assert program.stdout_logfile_backups == 2
    assert options.server_configs[0]["file"] == str(folder.socket)


def test_programs_stop_in_reverse_order_and_postgres_by_its_fast_shutdown(tmp_path: Path) -> None:
    folder = render_config(tmp_path / "embedded", sys.executable)
    options = ServerOptions()
    options.realize(["-c", str(folder.config)])
    groups = sorted(options.process_group_configs, key=lambda group: group.priority)
    assert [group.name for group in groups] == folder.programs
    signals = {group.name: group.process_configs[0].stopsignal for group in groups}
    assert signals == {
        "banco-dados": signal.SIGINT,
        "cache-redis": signal.SIGTERM,
        "api-web": signal.SIGTERM,
    }


def read_password(line: str) -> list[str]:
    """Fields of a line as libpq splits them (fe-connect.c, passwordFromFile): backslash takes the next one as it is."""
    fields, characters = [""], iter(line.removesuffix("\n"))
    for character in characters:
        if character == ":":
            fields.append("")
        else:
            fields[-1] += next(characters) if character == "\\" else character
    return fields


@given(user=TEXT, password=TEXT)
def test_password_file_holds_any_text(user: str, password: str) -> None:
    database = {"POSTGRES_USER": user, "POSTGRES_PASSWORD": password}
    line = password_line(make_program(port=31450, database=database))
    assert line.endswith("\n")
    assert read_password(line) == ["127.0.0.1", "31450", "*", user, password]


def test_fingerprint_follows_whatever_a_new_process_would_see(tmp_path: Path) -> None:
    code, secret = tmp_path / "code", tmp_path / "secret"
    code.mkdir()
    (code / "a.py").write_text("1")
    secret.write_text("one")
    program = make_program(
        code=[str(code)], env={"DB_PASSWORD_FILE": str(secret), "LOG_LEVEL": "INFO"}
    )
    seen = {fingerprint(program)}
    assert fingerprint(program) in seen
    for file, content in ((code / "a.py", "2"), (secret, "two")):
        file.write_text(content)
        assert fingerprint(program) not in seen
        seen.add(fingerprint(program))
    for other in (
        replace(program, env={**program.env, "LOG_LEVEL": "DEBUG"}),
        replace(program, argv=[*program.argv, "-v"]),
        replace(program, user="daemon"),
    ):
        assert fingerprint(other) not in seen
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "a.pyc").write_text("3")
    assert fingerprint(program) in seen


def test_fingerprint_of_a_missing_binary_names_it() -> None:
    with pytest.raises(EmbeddedError, match="/no/such/python: No such file"):
        fingerprint(make_program(argv=["/no/such/python"]))


def test_missing_and_foreign_files_say_what_to_do(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(
        EmbeddedError, match=r"supervisord\.conf is missing; render the environment first"
    ):
        _ = folder.programs
    with pytest.raises(
        EmbeddedError, match=r"api-web\.json is missing; render the environment first"
    ):
        load_program(folder, "api-web")
    (tmp_path / "api-web.json").write_text('{"argv": [], "colour": "red"}')
    with pytest.raises(EmbeddedError, match="not of this version"):
        load_program(folder, "api-web")


def test_logs_reach_back_into_the_rotated_file(tmp_path: Path) -> None:
    folder = render_config(tmp_path / "embedded", sys.executable)
    path = folder.log("api-web")
    path.with_name("api-web.log.1").write_text("1\n2\n3\n")
    path.write_bytes("4\né\n".encode() + b"\xff\n")
    assert last_lines(folder, "api-web", 4) == ["3", "4", "é", "\ufffd"]
    assert last_lines(folder, "cache-redis", 4) == []
    assert list(logs(folder, "", 2)) == folder.programs
    with pytest.raises(
        EmbeddedError, match="service web is unknown; there are banco-dados, cache-redis"
    ):
        logs(folder, "web", 2)


def test_port_that_only_root_may_open_is_refused() -> None:
    limit = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if limit == 0:
        pytest.skip("this kernel lets everybody open every port")
    with pytest.raises(EmbeddedError, match=f"port {limit - 1} is for root only") as refused:
        check_ports([make_program(port=limit - 1)])
    assert "in inventories/group_vars/shop/ or with -e api_port=" in str(refused.value)


def test_noted_process_is_not_mistaken_for_a_later_one(tmp_path: Path) -> None:
    pid = os.getpid()
    ticks = start_ticks(pid)
    assert ticks
    noted = Started(pid, ticks, boot_id(), 21450, os.path.realpath(sys.executable), "f", "1", 15)
    noted.write(tmp_path / "x.json")
    assert read_started(tmp_path / "x.json") == noted
    assert noted.lives
    assert not replace(noted, ticks=ticks - 1).lives
    assert not replace(noted, boot="an earlier one").lives
    assert replace(noted, boot="an earlier one").family() == []
    (tmp_path / "x.json").write_text("{")
    assert read_started(tmp_path / "x.json") is None


@pytest.mark.parametrize(
    ("reply", "lines"),
    [
        (b"+PONG\r\n", [b"PONG"]),
        (b":60\r\n", [b"60"]),
        (b"$-1\r\n", [b""]),
        (b"$4\r\na\r\nb\r\n", [b"a\r\nb"]),
        (b"*3\r\n$1\r\na\r\n*1\r\n:7\r\n$-1\r\n", [b"a", b"7", b""]),
        (b"*0\r\n", [b""]),
        (b"-ERR unknown command\r\n", [b"ERR unknown command"]),
    ],
)
def test_redis_replies_are_read(reply: bytes, lines: list[bytes]) -> None:
    assert read_reply(io.BytesIO(reply)) == lines


def test_redis_commands_are_written_and_cut_replies_noticed() -> None:
    assert encode([b"GET", "é".encode()]) == b"*2\r\n$3\r\nGET\r\n$2\r\n\xc3\xa9\r\n"
    with pytest.raises(ConnectionError):
        read_reply(io.BytesIO(b"+PO"))


def test_status_line_is_for_people() -> None:
    row = Row("api-web", "RUNNING", "healthy", 7, 93784, 5000, "1.0.0")
    assert row.line == (
        "api-web      RUNNING (healthy)     127.0.0.1:5000   1.0.0    pid 7, up 1d 02:03:04"
    )
    assert replace(row, state="STOPPED", health="", pid=None, uptime=0, version="").line == (
        "api-web      STOPPED               127.0.0.1:5000"
    )


def test_evidence_is_what_was_logged_since(tmp_path: Path) -> None:
    log = tmp_path / "embedded/logs/api-web.log"
    log.parent.mkdir(parents=True)
    log.write_text("old\n")
    since = commands.evidence_commands(str(tmp_path), ["api-web"], since=1.0)["log of api-web"]
    all_of_it = commands.evidence_commands(str(tmp_path), ["api-web"])["log of api-web"]
    with log.open("a") as stream:
        stream.write("new\n")
    assert run(since, 10).out == "new\n"
    assert run(all_of_it, 10).out == "old\nnew\n"
    assert last_lines(Folder(tmp_path / "embedded"), "api-web", 5, beyond=4) == ["new"]
    log.write_text("r\n")  # rotated meanwhile
    assert run(since, 10).out == "r\n"
    assert last_lines(Folder(tmp_path / "embedded"), "api-web", 5, beyond=4) == ["r"]
