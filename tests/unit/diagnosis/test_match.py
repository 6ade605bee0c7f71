"""From evidence to one explanation: what comes first, what is quoted, what stays hidden."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from stackwright.diagnosis.evidence import Disk, Evidence, sentences
from stackwright.diagnosis.match import diagnose, explain, mentioned_ports
from stackwright.diagnosis.ports import port_owner
from stackwright.secrets.masking import MASK, Masker

ROOT = Path(__file__).resolve().parents[3]
PASSWORD_LINE = 'FATAL:  password authentication failed for user "admin"'
UNHEALTHY = "dependency failed to start: container banco-dados is unhealthy"
# Printed by `docker inspect --format '{{json .State}}'` of Docker Engine 20.10.24.
OOM_STATE = (
    '{"Status":"exited","Running":false,"Paused":false,"Restarting":false,"OOMKilled":true,"Dead":false,"Pid":0,'
    '"ExitCode":137,"Error":"","StartedAt":"2026-11-24T04:08:08Z","FinishedAt":"2026-11-24T04:08:08Z"}'
)
SICK_STATE = (
    '{"Status":"running","Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,"Dead":false,"Pid":8372,'
    '"ExitCode":0,"Error":"","Health":{"Status":"unhealthy","FailingStreak":2,"Log":[{"Start":"2026-11-24T04:08:04Z",'
    '"End":"2026-11-24T04:08:05Z","ExitCode":1,"Output":"no response\\n"}]}}'
)
STARTING_STATE = '{"Name":"/api-web","State":{"Status":"created","ExitCode":0,"Error":""}}'
# Printed by `docker compose ps --format json` of Compose 2.40.3, shortened to the fields that are read.
COMPOSE_LINE = (
    '{"ExitCode":3,"Health":"","Name":"vd-banco-dados","Service":"banco-dados","State":"exited"}'
)


def test_a_cause_in_a_log_beats_the_symptom_in_the_failure() -> None:
    found = diagnose(Evidence(failure=UNHEALTHY, sources={"log of banco-dados": PASSWORD_LINE}))
    assert [one.rule for one in found] == ["wrong-password", "container-unhealthy"]
    assert found[0].source == "log of banco-dados"


def test_what_the_failure_says_beats_what_a_log_says() -> None:
    taken = "Bind for 0.0.0.0:5000 failed: port is already allocated"
    found = diagnose(Evidence(failure=taken, sources={"log of api-web": PASSWORD_LINE}))
    assert [one.rule for one in found] == ["port-taken", "wrong-password"]


def test_the_same_cause_is_told_once_with_the_newest_line() -> None:
    log = "\n".join(f"{number} {PASSWORD_LINE}" for number in range(50))
    found = diagnose(Evidence(sources={"log of banco-dados": log}))
    assert [one.evidence for one in found] == [f"49 {PASSWORD_LINE}"]


def test_two_taken_ports_are_two_causes() -> None:
    text = "\n".join(
        f"Bind for 0.0.0.0:{port} failed: port is already allocated" for port in (1, 2)
    )
    assert len(diagnose(Evidence(failure=text))) == 2
    assert mentioned_ports(Evidence(failure=text)) == {1, 2}


def test_the_embedded_runtime_has_its_own_fix() -> None:
    line = 'FATAL:  data directory "/srv/data" has wrong ownership'
    for runtime, word in (("compose", "docker run"), ("embedded", "embedded_user")):
        assert word in diagnose(Evidence(failure=line, runtime=runtime))[0].fix


def test_an_unknown_failure_says_so_and_shows_the_last_lines() -> None:
    lines = "\n".join(f"line {number}" for number in range(9))
    [found] = diagnose(Evidence(failure=lines, environment="prod"))
    assert found.rule == ""
    assert found.cause == "Not one of the known causes."
    assert "line 8" in found.evidence
    assert "line 3" not in found.evidence
    assert "make logs ENV=prod" in found.fix
    assert found.exit == 1


def test_events_in_json_are_read_and_never_shown() -> None:
    events = (
        '{"id":"Container api-web","status":"Starting"}\n'
        '{"error":true,"message":"Error response from daemon: %s"}'
    )
    [unknown] = diagnose(Evidence(failure=events % "strange", sources={"states": STARTING_STATE}))
    assert unknown.evidence == "the failed command: Error response from daemon: strange"
    [known] = diagnose(Evidence(failure=events % "Minimum memory limit allowed is 6MB"))
    assert known.rule == "memory-below-minimum"


def test_no_evidence_at_all() -> None:
    [found] = diagnose(Evidence())
    assert found.evidence == "Nothing was printed."


def test_braces_and_percent_in_evidence_are_data() -> None:
    [found] = diagnose(Evidence(failure="No such image: {environment}%s{0.__class__}"))
    assert "{environment}%s{0.__class__}" in found.cause


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{" * 100_000, '{"State": 1}', "null", "\x00\ud800", "=" * 10**6]
)
def test_hostile_evidence_is_survived(text: str) -> None:
    assert diagnose(Evidence(failure=text))[0].cause


def test_states_in_json_become_sentences() -> None:
    assert sentences(OOM_STATE) == [
        "container of this environment: killed for using more memory than its limit"
    ]
    assert sentences(SICK_STATE) == [
        "container of this environment: unhealthy, its last check ended with 1: no response"
    ]
    assert sentences(COMPOSE_LINE) == ["container vd-banco-dados: exited with code 3"]
    inspected = [{"Name": "/api-web", "State": json.loads(OOM_STATE)}]
    assert sentences(json.dumps(inspected, indent=2))[0].startswith("container api-web: killed")


def test_the_last_health_output_is_shown() -> None:
    state = json.dumps({"Name": "/banco-dados", "State": json.loads(SICK_STATE)})
    [found] = diagnose(Evidence(failure=UNHEALTHY, sources={"state": state}))
    assert found.cause == "banco-dados runs but fails its health check: no response."


def test_memory_beats_the_exit_code() -> None:
    state = json.dumps({"Name": "/api-web", "State": json.loads(OOM_STATE)})
    found = diagnose(
        Evidence(failure="api-web Exited (137) 5 seconds ago", sources={"state": state})
    )
    assert [one.rule for one in found] == ["out-of-memory", "container-exits"]


def test_a_full_disk_is_named_with_or_without_a_message() -> None:
    disks = [Disk("/var/lib/docker", 1024**2, 10), Disk("/home", 10**12, 10)]
    [said] = diagnose(Evidence(failure="write: no space left on device", disks=disks))
    [seen] = diagnose(Evidence(failure="strange", disks=disks))
    assert said.cause == seen.cause == "The disk is full: /var/lib/docker has 1 MiB free."


def test_secrets_are_masked_even_undeclared_ones() -> None:
    text = f"{PASSWORD_LINE} s3cret postgres://admin:hunter2@db/x password=hunter3 --requirepass hunter4"
    evidence = Evidence(failure=text, sources={"log": "s3cret"}).masked(Masker(["s3cret"]))
    shown = explain(evidence)
    assert MASK in shown
    assert not [word for word in ("s3cret", "hunter2", "hunter3", "hunter4") if word in shown]


def test_the_explanation_is_printable_as_it_is() -> None:
    evidence = Evidence(
        failure=UNHEALTHY,
        sources={"log of banco-dados": PASSWORD_LINE},
        environment="dev",
        runtime="compose",
        phase="start",
    )
    lines = explain(evidence).splitlines()
    assert lines[0] == "dev (compose) failed at: start"
    assert [line.split()[0] for line in lines[1:] if line[2:3].strip()] == [
        "cause",
        "evidence",
        "fix",
        "also",
    ]


def test_the_owner_of_a_port_is_found_and_named() -> None:
    code = (
        "import socket; server = socket.create_server(('127.0.0.1', 0));"
        "print(server.getsockname()[1], flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        owner = port_owner(port)
        text = f"Bind for 127.0.0.1:{port} failed: port is already allocated"
        assert owner is not None
        [found] = diagnose(Evidence(failure=text, port_owners={port: owner}))
        process.communicate("\n")
    assert owner.pid == process.pid
    assert "create_server" in owner.command
    assert f"(pid {process.pid}, user " in found.cause
    assert port_owner(port) is None


def test_a_listener_on_ipv6_is_found_too() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback")
    with server:
        owner = port_owner(server.getsockname()[1])
    assert owner is not None
    assert owner.pid == os.getpid()


def test_another_users_listener_shows_its_user(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   1: 0100007F:52DA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 10681 1 0 100 0\n"
    )
    assert str(port_owner(0x52DA, tmp_path)) == "a process of user root"
    assert port_owner(0x52DB, tmp_path) is None


def module(name: str, arguments: dict[str, object]) -> dict[str, object]:
    """The result of an Ansible module, run as Ansible runs it."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible"), "localhost", "-i", "localhost,", "-c", "local", "-m", name,
            "-e", f"ansible_python_interpreter={sys.executable}", "-a", json.dumps(arguments),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        env=os.environ | {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"},
    )  # fmt: skip
    result: dict[str, object] = json.loads(done.stdout.partition("=>")[2])
    return result


@pytest.mark.slow
def test_the_module_collects_and_explains(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = module(
            "explain_failure",
            {
                "environment": "dev",
                "runtime": "compose",
                "phase": "start",
                "failure": f"Bind for 127.0.0.1:{port} failed: port is already allocated",
                "evidence_commands": {
                    "log of banco-dados": ["echo", f"{PASSWORD_LINE} s3cret-word"],
                    "log of api-web": ["no-such-program-here"],
                    "hangs": ["sleep", "60"],
                },
                "paths": [str(tmp_path), "/no/such/folder"],
                "seconds": 1,
                "secrets": ["s3cret-word"],
            },
        )
    explanation = str(result["explanation"])
    assert result["changed"] is False
    assert result["exit"] == 73
    assert f"Port {port} is taken by '" in explanation
    assert f"(pid {os.getpid()}," in explanation
    assert "gives every role its password at each start" in explanation
    assert "s3cret-word" not in json.dumps(result)
