"""What changes is restarted, alone; what dies is restarted; what is stopped is gone and its data are not."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import psycopg2
import pytest
from stackwright.runtimes.embedded.folder import EmbeddedError, ProgramError
from stackwright.runtimes.embedded.supervisor import find_daemon
from stackwright.runtimes.running import find_environment

from tests.embedded.conftest import SECRETS
from tests.embedded.stacks import SECONDS, Stack, kill, lives

SERVICES = ["banco-dados", "cache-redis", "api-web"]


def wait_until_it_serves(stack: Stack) -> None:
    end = time.monotonic() + SECONDS
    while stack.request("GET", "/health")[1] != {
        "api": "healthy",
        "cache": "healthy",
        "database": "healthy",
    }:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_changed_setting_restarts_only_its_service(stack: Stack, tmp_path: Path) -> None:
    before = stack.pids()
    stack.render(api_log_level="DEBUG")
    foreseen = stack.module("started", tmp_path, "--check")
    assert (foreseen["changed"], foreseen["restarted"]) == (True, ["api-web"])
    assert stack.pids() == before
    outcome = stack.start()
    assert (outcome.changed, outcome.started, outcome.restarted) == (True, [], ["api-web"])
    after = stack.pids()
    assert after["api-web"] != before["api-web"]
    assert {**after, "api-web": 0} == {**before, "api-web": 0}
    environment = Path(f"/proc/{after['api-web']}/environ").read_bytes().split(b"\0")
    assert b"LOG_LEVEL=DEBUG" in environment
    assert not stack.start().changed


def test_changed_supervision_restarts_what_it_concerns(stack: Stack) -> None:
    before = stack.pids()
    config = stack.folder.config.read_text()
    head, redis = config.split("[program:cache-redis]")
    stack.folder.config.write_text(
        head + "[program:cache-redis]" + redis.replace("startsecs=1", "startsecs=2", 1)
    )
    try:
        assert stack.start().restarted == ["cache-redis"]
        after = stack.pids()
        assert {name for name in SERVICES if after[name] != before[name]} == {"cache-redis"}
    finally:
        stack.folder.config.write_text(config)
    assert stack.start().restarted == ["cache-redis"]


@pytest.mark.parametrize("service", SERVICES)
def test_killed_process_comes_back(stack: Stack, service: str) -> None:
    before = stack.pids()
    kill(before[service])
    rows = stack.wait_healthy({service: before[service]})
    assert {name: row.pid for name, row in rows.items() if name != service} == {
        name: pid for name, pid in before.items() if name != service
    }
    wait_until_it_serves(stack)
    assert not stack.start().changed


def test_killed_api_leaves_no_workers_behind(stack: Stack) -> None:
    old = [
        pid for pid in stack.all_pids() if b"tasks_api" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(old) == 3
    api = stack.pids()["api-web"]
    kill(api)
    stack.wait_healthy({"api-web": api})
    assert not any(lives(pid) for pid in old)


def test_stop_leaves_no_process_and_data_survive(stack: Stack) -> None:
    task = stack.request("POST", "/tasks", {"title": "kept"})[1]["task"]
    pids = stack.all_pids()
    assert stack.stop()
    assert not any(lives(pid) for pid in pids)
    assert "database system is shut down" in stack.folder.log("banco-dados").read_text()
    assert {row.state for row in stack.rows().values()} == {"STOPPED"}
    assert not stack.stop()
    assert stack.start().started == SERVICES
    assert stack.request("GET", f"/tasks/{task['id']}")[1]["task"]["title"] == "kept"
    stack.request("DELETE", f"/tasks/{task['id']}")


def test_killed_supervisord_takes_its_programs_along(stack: Stack) -> None:
    supervisord, *others = stack.all_pids()
    kill(supervisord)
    # Its pid file and socket stay behind, as after a power cut.
    assert (stack.folder.run / "supervisord.pid").exists()
    assert stack.folder.socket.exists()
    assert stack.start().started == SERVICES
    assert not any(lives(pid) for pid in others)
    assert stack.request("GET", "/health")[0] == 200


def test_lock_with_the_number_of_another_process_is_no_obstacle(stack: Stack) -> None:
    lock = stack.folder.data / "postgres" / "postmaster.pid"
    words = lock.read_text().splitlines()
    stack.stop()
    lock.write_text("\n".join([str(os.getpid()), *words[1:]]) + "\n")
    os.chown(lock, lock.parent.stat().st_uid, -1)
    (stack.folder.run / "supervisord.pid").write_text(f"{os.getpid()}\n")
    assert stack.start().started == SERVICES


def test_supervisord_without_its_socket_is_replaced(stack: Stack) -> None:
    daemon = find_daemon(stack.folder)
    stack.folder.socket.unlink()
    assert stack.start().started == SERVICES
    assert find_daemon(stack.folder) not in (daemon, None)


def test_a_supervisord_is_found_without_its_pid_file(stack: Stack) -> None:
    noted = stack.folder.run / "supervisord.pid"
    pid = noted.read_text()
    noted.unlink()
    try:
        assert find_daemon(stack.folder) == int(pid)
        assert find_environment(stack.output, "swtest-none").running == ["embedded"]
    finally:
        noted.write_text(pid)


def test_taken_port_is_found_before_anything_starts(bare: Stack) -> None:
    with socket.create_server(("127.0.0.1", bare.port)), pytest.raises(EmbeddedError) as refused:
        bare.start()
    assert f"api-web: port {bare.port} is taken by '" in str(refused.value)
    assert f"(pid {os.getpid()}, user " in str(refused.value)
    assert "set api_port to another port" in str(refused.value)
    assert find_daemon(bare.folder) is None
    assert not (bare.folder.data / "postgres").exists()


def test_program_that_cannot_start_is_explained(bare: Stack) -> None:
    settings = bare.folder.root / "api-web.json"
    settings.write_text(settings.read_text().replace('"API_WORKERS": "2"', '"API_WORKERS": "many"'))
    log = bare.folder.log("api-web")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("a line of an earlier start\n")
    with pytest.raises(ProgramError) as refused:
        bare.start()
    text = str(refused.value)
    assert text.startswith("api-web is ")
    assert "API_WORKERS" in text.partition("last lines of ")[2]
    assert "earlier" not in text
    assert bare.stop()[-3:] == ["cache-redis", "banco-dados", "supervisord"]
    assert bare.stop() == []


def test_changed_passwords_take_effect_and_restart_only_who_reads_them(stack: Stack) -> None:
    before = stack.pids()
    stack.render(db_app_password="another 'one\\ é🎉", cache_password="another, too: #$")
    assert stack.start().restarted == ["cache-redis", "api-web"]
    wait_until_it_serves(stack)
    stack.render(db_password="the owner's \\ new one, ½ ª 🎉")
    assert stack.start().restarted == ["banco-dados"]
    assert stack.sql("SELECT count(*) > 2 FROM tasks") == "t"
    stack.render(**SECRETS)
    assert stack.start().restarted == SERVICES
    assert stack.pids()["banco-dados"] != before["banco-dados"]


def test_what_a_role_did_to_itself_is_put_right_by_the_next_start(stack: Stack) -> None:
    connection = psycopg2.connect(
        host="127.0.0.1",
        port=stack.settings["api_port"] + 10_000,
        user="tasks_app",
        password=SECRETS["db_app_password"],
        dbname="tasks_db",
    )
    connection.autocommit = True
    before = stack.pids()
    with connection.cursor() as cursor:
        cursor.execute("ALTER ROLE tasks_app SET search_path = nowhere")
        cursor.execute("ALTER ROLE tasks_app PASSWORD 'its own'")
        others = "usename = 'tasks_app' AND pid <> pg_backend_pid()"
        cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    connection.close()
    assert stack.request("GET", "/health")[0] == 503
    outcome = stack.start()
    assert (outcome.started, outcome.restarted, outcome.migrations) == ([], [], ["roles"])
    assert stack.pids() == before
    wait_until_it_serves(stack)
    assert not stack.start().changed


def test_an_owner_that_is_kept_out_is_let_in_by_the_next_start(bare: Stack) -> None:
    bare.start()
    bare.sql("ALTER ROLE admin PASSWORD 'another'")
    assert bare.start().restarted == ["banco-dados"]
    wait_until_it_serves(bare)
    assert not bare.start().changed


def test_another_owner_than_that_of_the_data_is_explained(bare: Stack) -> None:
    bare.start()
    bare.stop()
    bare.render(db_user="somebody")
    with pytest.raises(EmbeddedError) as refused:
        bare.start()
    assert 'role "somebody" does not exist' in str(refused.value)
    assert "so set it back" in str(refused.value)


def test_interrupted_first_start_is_made_good(bare: Stack) -> None:
    unfinished = bare.folder.data / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("16\n")
    bare.start()
    assert bare.sql("SELECT count(*) FROM tasks") == "3"


def test_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    stack = Stack(tmp_path / ("long" * 20) / "out", api_port=11430)
    assert len(str(stack.folder.root / "run" / "supervisor.sock")) > 107
    stack.render()
    try:
        assert stack.start().started == SERVICES
        assert stack.folder.socket == Path("/tmp/stackwright-21430/supervisor.sock")
        assert stack.folder.socket.parent.stat().st_mode & 0o777 == 0o700
        assert not stack.start().changed
    finally:
        stack.stop()
    assert not stack.folder.socket.parent.exists()


def test_foreign_folder_for_the_socket_is_refused(tmp_path: Path) -> None:
    stack = Stack(tmp_path / ("long" * 20) / "out", api_port=11431)
    stack.render()
    foreign = Path("/tmp/stackwright-21431")
    foreign.mkdir(mode=0o700)
    try:
        foreign.chmod(0o777)
        with pytest.raises(EmbeddedError, match="not a folder that belongs to us alone"):
            stack.start()
    finally:
        foreign.rmdir()
