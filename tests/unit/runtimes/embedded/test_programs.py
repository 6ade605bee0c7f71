"""The embedded runtime's small parts, without a running environment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
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
from stackwright.runtimes.embedded.folder import EmbeddedError, Folder, last_lines, logs
from stackwright.runtimes.embedded.health import Row
from stackwright.runtimes.embedded.lifecycle import check_ports
from stackwright.runtimes.embedded.processes import Started, boot_id, read_started, start_ticks
from stackwright.runtimes.embedded.programs import Program, fingerprint, load_program
from stackwright.runtimes.embedded.supervisor import Control
from stackwright.system import run
from supervisor.options import ServerOptions

from tests.api.servers import RedisServer, free_port, open_folder
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
    assert replace(noted, boot="an earlier one").group() == []
    (tmp_path / "x.json").write_text("{")
    assert read_started(tmp_path / "x.json") is None


def test_a_supervisord_that_hangs_does_not_hang_us() -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        path = open_folder() / "supervisor.sock"
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(EmbeddedError, match=f"does not answer at {path}: timed out"):
            Control(path).stop("api-web", 0.2)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.options = ("--user", "ops", "on", ">two words é", "~*", "+@all")
    server.start()
    yield server
    server.stop()


def redis_cli(port: int, *words: str, user: str = "", password: str = "") -> tuple[int, str]:
    command = [sys.executable, "-I", "-c", commands.REDIS_CLI, "127.0.0.1", str(port), user, *words]
    done = subprocess.run(command, input=password.encode(), capture_output=True, check=False)
    return done.returncode, (done.stdout or done.stderr).decode()


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["PING"], "PONG"),
        (["TTL", "none"], "-2"),
        (["GET", "none"], ""),
        (["ECHO", "a\r\né"], "a\r\né"),
        (["COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"], "a\nb"),
        (["EVAL", "return {1,{'x',{}},false}", "0"], "1\nx\n\n"),
        (["KEYS", "none*"], ""),
        (["NONE"], "ERR unknown command 'NONE', with args beginning with: "),
    ],
)
def test_redis_replies_are_printed_as_redis_cli_does(
    redis: RedisServer, words: list[str], printed: str
) -> None:
    assert redis_cli(redis.port, *words) == (0, f"{printed}\n")


def test_redis_asks_for_a_password_and_a_server_that_is_there(redis: RedisServer) -> None:
    assert redis_cli(redis.port, "ACL", "WHOAMI", user="ops", password="two words é\n") == (
        0,
        "ops\n",
    )
    code, said = redis_cli(redis.port, "PING", user="ops", password="two words\n")
    assert said.startswith("WRONGPASS")
    code, said = redis_cli(free_port(), "PING")
    assert code == 1
    assert said.startswith("Could not connect to Redis at 127.0.0.1:")


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
