"""The reverse proxy before two replicas of the API, on a real stack: what is let in, what is let out, what is logged."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.render.test_edge import certificate
from tests.stack.conftest import Stack, free_base, run
from tests.stack.containers import wait_for
from tests.stack.edge_client import Answer, Connection, container_on, python_in
from tests.support.project import Project, Run, good_vault, recap

pytestmark = pytest.mark.docker

HOST = "swtest-edge.localhost"
PROJECT = "desafio3-swtest-edge"
FORGED = "203.0.113.66"
LIMIT = 65536
SETTINGS = """api_port: {port}
api_replicas: 2
api_threads: 2
api_log_format: json
edge_enabled: true
edge_client_rate: 40
edge_client_burst: 60
"""


def site(stack: Stack, *arguments: str) -> Run:
    """The main job, with the vault open."""
    key = str(stack.project.password_file)
    runtime = ("-e", "stack_runtime=compose")
    return stack.play("site.yml", *runtime, *arguments, ANSIBLE_VAULT_PASSWORD_FILE=key)


@pytest.fixture(scope="module")
def stack(shared_project: Project) -> Iterator[Stack]:
    """The environment swtest_edge, up and verified through its edge."""
    port = free_base()
    vault = good_vault()
    shared_project.environment("swtest_edge", SETTINGS.format(port=port), vault)
    stack = Stack(shared_project, "swtest_edge", "swtest-edge-", port)
    try:
        done = site(stack)
        assert done.returncode == 0, done.output
        assert "proofs      13 of 13 held" in done.output
        assert f"url         https://{HOST}:{port + 443}" in done.output
        yield stack
    finally:
        stack.remove()


@pytest.fixture
def edge(stack: Stack) -> Iterator[Connection]:
    connection = connect(stack)
    yield connection
    connection.close()


def connect(stack: Stack) -> Connection:
    return Connection(HOST, "127.0.0.1", stack.port + 443, stack.folder / "edge-ca.crt")


def replicas() -> list[str]:
    label = f"label=com.docker.compose.project={PROJECT}"
    service = "label=com.docker.compose.service=api-web"
    return run(
        "docker", "ps", "--filter", label, "--filter", service, "--format", "{{.Names}}"
    ).stdout.split()


def log_of(container: str) -> list[dict[str, Any]]:
    done = run("docker", "logs", container)
    return [
        json.loads(line)
        for line in (done.stdout + done.stderr).splitlines()
        if line.startswith("{")
    ]


def requests_in(log: list[dict[str, Any]], identity: str) -> list[dict[str, Any]]:
    return [line for line in log if str(line.get("request_id", "")).startswith(identity)]


def api_lines(identity: str) -> dict[str, list[dict[str, Any]]]:
    """The lines of both replicas about requests whose id begins so."""
    found = {name: requests_in(log_of(name), identity) for name in replicas()}
    return {name: lines for name, lines in found.items() if lines}


def test_http_only_leads_to_https(stack: Stack) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", stack.port + 80, timeout=30)
    plain.request("POST", "/tasks?a=b", b"{}", {"Host": "evil.example"})
    response = plain.getresponse()
    response.read()
    plain.close()
    assert response.status == 308
    assert response.headers["Location"] == f"https://{HOST}:{stack.port + 443}/tasks?a=b"
    assert response.headers["X-Request-ID"]
    assert "Server" not in response.headers


def test_answers_carry_what_browsers_must_know(edge: Connection) -> None:
    errors = edge.ask("GET", "/nowhere"), edge.ask("POST", "/tasks", {"title": "x" * LIMIT})
    for answer in (edge.ask("GET", "/tasks"), *errors):
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-request-id"]
        assert not {"server", "via"} & answer.headers.keys()


def test_tls_is_by_the_environments_own_authority(stack: Stack) -> None:
    address = ("127.0.0.1", stack.port + 443)
    with (
        socket.create_connection(address, 30) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(plain, server_hostname=HOST)
    unknown = ssl.create_default_context(cafile=str(stack.folder / "edge-ca.crt"))
    with (
        socket.create_connection(address, 30) as plain,
        pytest.raises(ssl.SSLError, match="internal error"),
    ):
        unknown.wrap_socket(plain, server_hostname="evil.example")


def test_tls_begins_at_version_1_2(stack: Stack) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", stack.port + 443), 30) as plain,
        pytest.raises(ssl.SSLError, match="protocol version"),
    ):
        old.wrap_socket(plain, server_hostname=HOST)


def test_another_name_is_not_served(edge: Connection) -> None:
    answer = edge.ask("GET", "/tasks", headers={"Host": "evil.example"})
    assert answer.status == 421
    assert answer.json["error"]["code"] == "misdirected"


def test_the_api_is_reached_in_no_other_way(stack: Stack) -> None:
    for port in (stack.port, stack.port + 1):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    line = "{{json .NetworkSettings.Ports}}"
    for name in [*replicas(), "swtest-edge-banco-dados", "swtest-edge-cache-redis"]:
        ports = json.loads(run("docker", "inspect", "--format", line, name).stdout)
        assert not [bound for bound in ports.values() if bound], name


def test_the_edge_sees_neither_database_nor_cache_and_the_api_nobody_outside(stack: Stack) -> None:
    looked = stack.exec("edge", "sh", "-c", "for n in api-web banco-dados cache-redis; do "
                        "busybox nslookup $n >/dev/null 2>&1 && echo $n; done")  # fmt: skip
    assert "banco-dados" not in looked.stdout
    assert "cache-redis" not in looked.stdout
    line = "{{range $name, $one := .NetworkSettings.Networks}}{{$name}} {{$one.IPAddress}}\n{{end}}"
    shown = run("docker", "inspect", "--format", line, "swtest-edge-edge").stdout
    addresses = dict(text.split() for text in shown.splitlines() if text)
    program = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 8443), 3).close()
    print("reached")
except OSError as error:
    print("not reached")
"""
    reached = {
        network: run(
            "docker", "exec", replicas()[0], "python", "-c", program, address
        ).stdout.strip()
        for network, address in addresses.items()
    }
    # The edge's other leg is as far away as the rest of the world.
    assert reached == {
        f"{PROJECT}-network-edge": "reached",
        f"{PROJECT}-network-public": "not reached",
    }


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_refused_and_blames_no_replica(
    stack: Stack, chunked: bool
) -> None:
    for _ in range(4):
        connection = connect(stack)
        large = {"title": "x" * (LIMIT + 1000)}
        answer = connection.ask("POST", "/tasks", large, chunked=chunked)
        connection.close()
        assert answer.status == 413
        assert answer.json["error"]["code"] == "body_too_large"
    adapted = stack.exec("edge", "caddy", "adapt", "--config", "/etc/caddy/Caddyfile").stdout
    handlers = list(proxies(json.loads(adapted)))
    assert len(handlers) == 3
    for handler in handlers:  # those that count failures send no body
        counts = "fail_duration" in handler["health_checks"]["passive"]
        assert counts == (handler.get("rewrite") == {"method": "GET"})


def test_a_body_in_chunks_passes_if_it_is_whole(stack: Stack, edge: Connection) -> None:
    answer = edge.ask("POST", "/tasks", {"title": "chunked" + token_hex(8)}, chunked=True)
    assert answer.status == 201
    title = f"cut off {token_hex(8)}"
    body = json.dumps({"title": title})
    for rest in ("", "zz\r\n"):
        trusting = ssl.create_default_context(cafile=str(stack.folder / "edge-ca.crt"))
        plain = socket.create_connection(("127.0.0.1", stack.port + 443), 30)
        with trusting.wrap_socket(plain, server_hostname=HOST) as connection:
            connection.sendall(
                f"POST /tasks HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
                f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n{rest}".encode()
            )
            if rest:
                assert connection.recv(12) != b"HTTP/1.1 201"
    wait_for("the edge to answer", lambda: edge.ask("GET", "/livez").status == 200)
    assert title not in edge.ask("GET", "/tasks").body.decode()


def proxies(node: Any) -> Iterator[dict[str, Any]]:
    """Every reverse_proxy of an adapted configuration."""
    if isinstance(node, dict):
        if node.get("handler") == "reverse_proxy":
            yield node
        for value in node.values():
            yield from proxies(value)
    elif isinstance(node, list):
        for item in node:
            yield from proxies(item)


def test_a_body_as_large_as_allowed_passes(edge: Connection) -> None:
    empty = len(json.dumps({"title": "t", "description": ""}))
    answer = edge.ask("POST", "/tasks", {"title": "t", "description": "x" * (LIMIT - empty)})
    assert answer.status in (201, 422), answer  # the field has a limit of its own
    assert answer.status == 422 or answer.json["task"]["id"]


def test_the_clients_address_survives_and_forged_ones_do_not(stack: Stack) -> None:
    identity = f"forged-{token_hex(6)}"
    image = run("docker", "inspect", "--format", "{{.Config.Image}}", replicas()[0]).stdout.strip()
    with container_on(f"{PROJECT}-network-public", image) as (name, address):
        program = f"""
import http.client, socket, ssl
trusting = ssl.create_default_context()
trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
for number, headers in enumerate([
    {{}},
    {{"X-Forwarded-For": "{FORGED}"}},
    {{"X-Forwarded-For": "{FORGED}, {FORGED}", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "{FORGED}"}},
    {{"Forwarded": "for={FORGED}", "X-Real-IP": "{FORGED}", "Authorization": "Bearer swordfish"}},
    {{"X_Forwarded_For": "{FORGED}", "x_forwarded-for": "{FORGED}"}},  # names that are one to WSGI
]):
    connection = http.client.HTTPSConnection("{HOST}", 8443, context=trusting)
    plain = socket.create_connection(("edge", 8443))
    connection.sock = trusting.wrap_socket(plain, server_hostname="{HOST}")
    connection.request("GET", "/tasks", headers={{"X-Request-ID": f"{identity}-{{number}}", **headers}})
    response = connection.getresponse()
    response.read()
    print(response.status, response.headers["X-Request-ID"])
"""
        answers = python_in(name, program).split()
    assert answers == [word for number in range(5) for word in ("200", f"{identity}-{number}")]
    lines = [line for lines in api_lines(identity).values() for line in lines]
    assert {line["request_id"] for line in lines} == {f"{identity}-{n}" for n in range(5)}
    assert {line["client"] for line in lines} == {address}
    assert FORGED not in json.dumps(lines)
    access = requests_in(log_of("swtest-edge-edge"), identity)
    assert {(line["status"], line["request"]["client_ip"]) for line in access} == {(200, address)}
    assert len(access) == 5
    assert "swordfish" not in json.dumps(access)


def test_both_replicas_answer(edge: Connection) -> None:
    identity = f"both-{token_hex(6)}"
    for number in range(6):
        headers = {"X-Request-ID": f"{identity}-{number}"}
        assert edge.ask("GET", "/tasks/1", headers=headers).status == 200
    found = api_lines(identity)
    assert len(found) == 2
    assert sum(len({line["request_id"] for line in lines}) for lines in found.values()) == 6


def test_a_client_that_asks_too_often_is_held_back_and_others_are_not(
    stack: Stack, edge: Connection
) -> None:
    image = run("docker", "inspect", "--format", "{{.Config.Image}}", replicas()[0]).stdout.strip()
    with container_on(f"{PROJECT}-network-public", image) as (name, _):
        program = f"""
import http.client, socket, ssl, threading, time
trusting = ssl.create_default_context()
trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
found, end = [], time.monotonic() + 60
def ask():
    connection = http.client.HTTPSConnection("{HOST}", 8443, context=trusting)
    connection.sock = trusting.wrap_socket(socket.create_connection(("edge", 8443)), server_hostname="{HOST}")
    while not found and time.monotonic() < end:
        connection.request("GET", "/livez")
        response = connection.getresponse()
        body = response.read().decode()
        if response.status != 200:
            found.append(f"{{response.status}} {{response.headers['Retry-After']}} {{body}}")
threads = [threading.Thread(target=ask) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(found[0] if found else "never held back")
"""
        said = python_in(name, program)
    assert said.startswith("429 1 ")
    assert json.loads(said.partition("{")[1] + said.partition("{")[2])["error"]["code"] == (
        "too_many_requests"
    )
    assert edge.ask("GET", "/tasks").status == 200


def test_a_replica_is_killed_without_a_failed_request(stack: Stack) -> None:
    answers: list[Answer | str] = []
    done = threading.Event()

    def client(number: int) -> None:
        connection = connect(stack)
        while not done.is_set():
            try:
                if number:
                    answers.append(connection.ask("GET", "/tasks"))
                else:  # may be sent again without doing anything twice
                    key = {"Idempotency-Key": token_hex(8)}
                    answers.append(connection.ask("POST", "/tasks", {"title": "kept"}, key))
            except OSError as error:
                answers.append(repr(error))
                return
            time.sleep(0.2)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        wait_for("answers before", lambda: len(answers) > 10)
        killed = replicas()[0]
        run("docker", "kill", "--signal", "KILL", killed)
        so_far = len(answers)
        wait_for("answers after", lambda: len(answers) > so_far + 30)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        run("docker", "start", killed)
    statuses = [one if isinstance(one, str) else one.status for one in answers]
    assert set(statuses) == {200, 201}, statuses


def test_a_replica_that_hangs_is_found_and_left_alone(stack: Stack, edge: Connection) -> None:
    """Docker still has its address, and connections to it succeed: only asking tells."""
    wait_for("two replicas", lambda: len(replicas()) == 2)
    hanging = replicas()[0]
    run("docker", "pause", hanging)
    try:
        # Its log does not move, so whoever answers is the other one; each answer came through a retry or without.
        assert {edge.ask("GET", "/tasks").status for _ in range(8)} == {200}
    finally:
        run("docker", "unpause", hanging)


def test_a_second_run_changes_nothing_and_a_setting_of_the_edge_only_the_edge(stack: Stack) -> None:
    def started() -> dict[str, str]:
        names = [*replicas(), "swtest-edge-edge", "swtest-edge-banco-dados"]
        line = "{{.Name}} {{.Id}}"
        shown = run("docker", "inspect", "--format", line, *names).stdout.splitlines()
        return dict(text.split() for text in shown)

    before = started()
    assert recap(site(stack).output)["changed"] == 0
    assert started() == before
    done = site(stack, "-e", "edge_hsts_seconds=60")
    assert done.returncode == 0, done.output
    after = started()
    assert {name for name in before if before[name] != after.get(name)} == {"/swtest-edge-edge"}
    connection = connect(stack)  # by the same authority: the volume keeps it
    assert connection.ask("GET", "/").headers["strict-transport-security"] == "max-age=60"
    connection.close()


def test_a_certificate_of_the_users_own(stack: Stack, tmp_path: Path) -> None:
    pair = certificate(tmp_path, "tasks.example")
    done = site(
        stack, "-e", "edge_tls=files", "-e", "edge_host=tasks.example",
        "-e", f"edge_tls_certificate_file={pair[0]}", "-e", f"edge_tls_key_file={pair[1]}",
    )  # fmt: skip
    assert done.returncode == 0, done.output
    connection = Connection("tasks.example", "127.0.0.1", stack.port + 443, pair[0])
    assert connection.ask("GET", "/tasks").status == 200
    connection.close()
    secret = pair[1].read_text(encoding="utf-8").splitlines()[1]
    assert secret not in done.output
    assert secret not in run("docker", "inspect", "swtest-edge-edge").stdout
