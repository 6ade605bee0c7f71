"""The reverse proxy before two replicas of the API, on a real stack: what is let in, what is let out, what is logged."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.render.test_edge import certificate
from tests.stack.conftest import Stack, free_base, run
from tests.stack.containers import wait_for
from tests.stack.edge_client import Answer, Connection, container_on, python_in
from tests.stack.edge_load import Load
from tests.support.project import Project, Run, good_vault, recap

pytestmark = pytest.mark.docker

LONG_SECONDS = 8.0  # tells a request that was held for ten from one that was tried elsewhere
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
edge_client_timeout_seconds: 3
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
    assert len(handlers) == 2
    for handler in handlers:  # only the edge's own questions tell of a replica that fails
        assert set(handler["health_checks"]) == {"active"}


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
    with paused(hanging):
        waits = []
        for _ in range(12):
            began = time.monotonic()
            # Its log does not move, so whoever answers is the other one, perhaps after a second.
            assert edge.ask("GET", "/tasks").status == 200
            waits.append(time.monotonic() - began)
            time.sleep(0.2)
    print(f"longest read beside a replica that hangs: {max(waits):.2f} s")
    assert max(waits) < LONG_SECONDS


@contextmanager
def paused(*names: str) -> Iterator[None]:
    """Containers that do not move meanwhile."""
    run("docker", "pause", *names)
    try:
        yield
    finally:
        run("docker", "unpause", *names)


def test_nobody_is_invited_to_create_a_task_twice(stack: Stack) -> None:
    wait_for("two replicas", lambda: len(replicas()) == 2)
    wait_for("answers", lambda: ask(stack, "GET", "/livez").status == 200)
    answers: dict[str, Answer] = {}

    def send(name: str, method: str, path: str, **headers: str) -> None:
        answers[name] = ask(stack, method, path, {"title": "t"}, headers)

    sends = [("POST", "POST", "/tasks"), ("PUT", "PUT", "/tasks/1")]
    threads = [threading.Thread(target=send, args=one) for one in sends]
    key = {"Idempotency-Key": token_hex(8)}
    threads.append(threading.Thread(target=send, args=("key", "POST", "/tasks"), kwargs=key))
    with paused(*replicas()):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers["POST"].status == 504
    assert "retry-after" not in answers["POST"].headers
    assert {answers[name].status for name in ("PUT", "key")} <= {503, 504}
    assert answers["PUT"].headers["retry-after"] == answers["key"].headers["retry-after"] == "2"
    assert {answer.json["error"]["code"] for answer in answers.values()} == {"unavailable"}


def ask(stack: Stack, method: str, path: str, *more: Any) -> Answer:
    """One request on a connection of its own."""
    connection = connect(stack)
    try:
        return connection.ask(method, path, *more)
    finally:
        connection.close()


def raw(stack: Stack, request: str, *, every: float = 0, drip: str = "") -> tuple[str, float]:
    """What comes back until the edge hangs up, and after how many seconds, while ``drip`` is sent now and then."""
    trusting = ssl.create_default_context(cafile=str(stack.folder / "edge-ca.crt"))
    plain = socket.create_connection(("127.0.0.1", stack.port + 443), 30)
    began, received = time.monotonic(), b""
    with trusting.wrap_socket(plain, server_hostname=HOST) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        connection.settimeout(every or 30)
        while time.monotonic() < began + 30:
            try:
                got = connection.recv(65536)
            except TimeoutError:
                connection.sendall(drip.encode())
                continue
            except OSError:
                break
            received += got
            if not got:
                break
    return received.decode(), time.monotonic() - began


@pytest.mark.parametrize("kind", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_body_that_comes_too_slowly_is_hung_up_on_and_blames_no_replica(
    stack: Stack, edge: Connection, kind: str
) -> None:
    ends: dict[tuple[str, str], tuple[str, float]] = {}
    drip = "a" if "Length" in kind else "1\r\na\r\n"

    def send(line: str, header: str, every: float) -> None:
        request = f"{line} HTTP/1.1\nHost: {HOST}:{stack.port + 443}\n{header}{kind}\n\n"
        ends[line, f"{header}{every}"] = raw(stack, request, every=every, drip=drip)

    lines = ("POST /tasks", "PUT /tasks/1", "GET /tasks", "DELETE /tasks/999999")
    headers = ("", "Authorization: Bearer x\n", "Idempotency-Key: a\n")
    threads = [
        threading.Thread(target=send, args=(line, header, every))
        for line in lines
        for header in headers
        for every in (0, 0.3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, (received, seconds) in ends.items():
        assert seconds < 20, one
        assert received.startswith("HTTP/1.1 408 "), (one, received)
        assert '"code":"request_timeout"' in received
    began = time.monotonic()
    assert edge.ask("GET", "/tasks").status == 200
    assert edge.ask("PUT", "/tasks/1", {"description": "d"}).status == 200
    assert time.monotonic() - began < LONG_SECONDS


def test_malformed_chunks_are_the_clients_error(stack: Stack) -> None:
    for line in ("POST /tasks", "PUT /tasks/1", "GET /tasks"):
        request = (
            f"{line} HTTP/1.1\nHost: {HOST}:{stack.port + 443}\nTransfer-Encoding: chunked\n\nzz\n"
        )
        received, _ = raw(stack, request)
        assert received.startswith("HTTP/1.1 400 "), received
        assert '"code":"malformed_body"' in received


def test_a_flood_of_streams_does_not_end_the_edge_and_others_are_served(stack: Stack) -> None:
    trusting = ssl.create_default_context(cafile=str(stack.folder / "edge-ca.crt"))
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    address = ("127.0.0.1", stack.port + 443)
    with trusting.wrap_socket(
        socket.create_connection(address, 30), server_hostname=HOST
    ) as connection:
        # One request a connection, so that open files bound memory.
        assert connection.selected_alpn_protocol() == "http/1.1"
    h2load = shutil.which("h2load")
    if h2load is None:
        pytest.skip("h2load is not installed (Debian's nghttp2-client)")
    line = "{{.Id}} {{.State.StartedAt}} {{.State.OOMKilled}} {{.RestartCount}}"
    before = run("docker", "inspect", "--format", line, "swtest-edge-edge").stdout
    image = run("docker", "inspect", "--format", "{{.Config.Image}}", replicas()[0]).stdout.strip()
    with container_on(f"{PROJECT}-network-public", image) as (name, _):
        flood = subprocess.Popen(
            [h2load, "-n", "12000", "-c", "100", "-m", "100", f"https://127.0.0.1:{address[1]}/livez",
             "-H", f":authority: {HOST}:{address[1]}"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            program = f"""
import http.client, socket, ssl, time
trusting = ssl.create_default_context()
trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
for _ in range(10):
    connection = http.client.HTTPSConnection("{HOST}", 8443, context=trusting)
    plain = socket.create_connection(("edge", 8443), 60)
    connection.sock = trusting.wrap_socket(plain, server_hostname="{HOST}")
    connection.request("GET", "/tasks/1")
    print(connection.getresponse().status)
    connection.close()
    time.sleep(0.2)
"""
            assert set(python_in(name, program).split()) == {"200"}
            flood.wait(timeout=300)
        finally:
            flood.kill()
            flood.wait()
    assert run("docker", "inspect", "--format", line, "swtest-edge-edge").stdout == before


def test_replicas_are_replaced_one_by_one_without_a_failed_request_or_a_long_wait(
    stack: Stack,
) -> None:
    before = set(run("docker", "inspect", "--format", "{{.Id}}", *replicas()).stdout.split())
    with Load(lambda: connect(stack), rate=3) as load:
        done = site(stack, "--skip-tags", "verify", "-e", "api_log_level=WARNING")
        assert done.returncode == 0, done.output
        time.sleep(2)
    print(load.table())
    names = replicas()
    assert set(names) == {f"{PROJECT}-api-web-1", f"{PROJECT}-api-web-2"}
    assert not before & set(run("docker", "inspect", "--format", "{{.Id}}", *names).stdout.split())
    assert not load.failed
    assert load.longest() < LONG_SECONDS
    assert site(stack).returncode == 0  # back, for the tests that follow


def test_a_second_run_changes_nothing_and_a_setting_of_the_edge_replaces_nothing(
    stack: Stack,
) -> None:
    def started() -> dict[str, str]:
        names = [*replicas(), "swtest-edge-edge", "swtest-edge-banco-dados"]
        line = "{{.Name}} {{.Id}}"
        shown = run("docker", "inspect", "--format", line, *names).stdout.splitlines()
        return dict(text.split() for text in shown)

    before = started()
    assert recap(site(stack).output)["changed"] == 0
    assert started() == before
    with Load(lambda: connect(stack), rate=3) as load:
        done = site(stack, "--skip-tags", "verify", "-e", "edge_hsts_seconds=60")
    assert done.returncode == 0, done.output
    assert started() == before
    print(load.table())
    assert not [one for one in load.failed if "refused" in str(one.end)]
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
