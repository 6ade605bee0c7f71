"""Bearer tokens on a real stack: two replicas behind the edge, and who may do what through it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from secrets import token_hex

import pytest

from tests.stack.conftest import Stack, free_base, run
from tests.stack.containers import wait_for
from tests.stack.edge_client import Answer, Connection
from tests.stack.test_edge import site
from tests.support.doors import code_of, try_all
from tests.support.project import Project, good_vault

pytestmark = pytest.mark.docker

HOST = "swtest-tokens.localhost"
PROJECT = "desafio3-swtest-tokens"
MAIN = "inventories/group_vars/swtest_tokens/main.yml"
SETTINGS = """---
api_port: {port}
api_replicas: 2
api_threads: 2
edge_enabled: true
edge_client_rate: 0
stack_health_interval_seconds: 1
api_auth: token
api_public_reads: {reads}
api_tokens: {tokens}
"""
SECRETS = {name: f"tOk3n-of-{name}-4711" for name in ("boss", "kept", "new", "old", "sees")}
FIRST = {"boss": "admin", "kept": "write", "old": "write", "sees": "read"}
ADMIN = (("GET", "/metrics"), ("GET", "/cache/stats"), ("POST", "/cache/clear"))


def settings(port: int, tokens: dict[str, str], reads: bool = False) -> str:
    return SETTINGS.format(port=port, tokens=tokens, reads=str(reads).lower())


@pytest.fixture(scope="module")
def stack(shared_project: Project) -> Iterator[Stack]:
    """The environment, up and verified with its own token."""
    port = free_base()
    shared_project.environment("swtest_tokens", vault=good_vault(tokens=SECRETS))
    shared_project.write(MAIN, settings(port, FIRST))
    stack = Stack(shared_project, "swtest_tokens", "swtest-tokens-", port)
    try:
        done = site(stack)
        assert done.returncode == 0, done.output
        assert "proofs      14 of 14 held" in done.output
        assert "refused without a token, so is reading" in done.output
        assert "curl --cacert" in done.output
        assert f" -H 'Authorization: Bearer …' https://{HOST}:{port + 443}/tasks" in done.output
        yield stack
    finally:
        stack.remove()


def connect(stack: Stack) -> Connection:
    return Connection(HOST, "127.0.0.1", stack.port + 443, stack.folder / "edge-ca.crt")


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRETS[name]}"} if name else {}


def ask(
    stack: Stack, token: str, method: str, path: str, body: object = None, **headers: str
) -> Answer:
    connection = connect(stack)
    try:
        return connection.ask(method, path, body, {**bearer(token), **headers})
    finally:
        connection.close()


def test_a_token_may_do_what_its_scope_allows_and_no_more(stack: Stack) -> None:
    task = {"title": "t"}
    for token, status in (("", 401), ("new", 401), ("sees", 403), ("kept", 201), ("boss", 201)):
        answer = ask(stack, token, "POST", "/tasks", task)
        assert answer.status == status, (token, answer)
        if status in (401, 403):
            assert answer.json["error"]["code"] == {401: "unauthorized", 403: "forbidden"}[status]
            assert answer.headers["www-authenticate"].startswith("Bearer")
    for method, path in ADMIN:
        for token, status in (("", 401), ("sees", 403), ("kept", 403), ("boss", 200)):
            assert ask(stack, token, method, path).status == status, (token, path)
    for token, status in (("", 401), ("sees", 200)):
        assert ask(stack, token, "GET", "/tasks/1").status == status
    for path in ("/", "/health", "/livez", "/openapi.json"):
        assert ask(stack, "", "GET", path).status == 200
    described = ask(stack, "", "GET", "/openapi.json").json
    assert described["paths"]["/tasks"]["post"]["security"] == [{"bearer": ["write"]}]


def try_all_doors(stack: Stack) -> None:
    """Ask for everything in every spelling with the token of each scope, through the edge."""
    connection = connect(stack)
    names = {None: "", "read": "sees", "write": "kept", "admin": "boss"}

    def knock(method: str, target: str, token: str | None) -> tuple[int, str]:
        body = {"title": "t"} if method.upper() in ("POST", "PUT") else None
        answer = connection.ask(method, target, body, bearer(names[token]))
        return answer.status, code_of(answer.body)

    try:
        document = connection.ask("GET", "/openapi.json").json
        assert try_all(document, knock, HOST) > 1000
    finally:
        connection.close()


def test_no_spelling_opens_a_door(stack: Stack) -> None:
    try_all_doors(stack)


def test_docker_and_its_logs_know_no_token(stack: Stack) -> None:
    line = "label=com.docker.compose.project=" + PROJECT
    names = run("docker", "ps", "--filter", line, "--format", "{{.Names}}").stdout.split()
    assert len(names) == 5
    for name in names:
        shown = run("docker", "inspect", name).stdout + run("docker", "exec", name, "env").stdout
        done = run("docker", "logs", name)
        assert "tOk3n" not in shown + done.stdout + done.stderr
    assert (
        "tOk3n"
        in run("docker", "exec", f"{PROJECT}-api-web-1", "sh", "-c", "cat /run/secrets/*").stdout
    )


def test_a_token_is_replaced_without_a_failed_request_of_the_others(stack: Stack) -> None:
    created = ask(stack, "kept", "POST", "/tasks", {"title": "mine"})
    mine = created.headers["location"]
    answers: list[Answer | str] = []
    done = threading.Event()

    def client(number: int) -> None:
        while not done.is_set():
            try:
                if number == 1:
                    change = {"description": token_hex(4)}
                    answers.append(ask(stack, "kept", "PUT", mine, change))
                elif number:
                    answers.append(ask(stack, "sees", "GET", "/tasks"))
                else:
                    key = {"Idempotency-Key": token_hex(8)}
                    answers.append(ask(stack, "kept", "POST", "/tasks", {"title": "kept"}, **key))
            except OSError as error:
                answers.append(repr(error))
            # Verification wants to see a list that stays in the cache between two writes.
            time.sleep(0.05 if number == 2 else 1)

    second = {name: scope for name, scope in FIRST.items() if name != "old"} | {"new": "write"}
    threads = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for tokens in (FIRST | second, second):
            so_far = len(answers)
            wait_for("answers", lambda so_far=so_far: len(answers) > so_far + 10)
            stack.project.write(MAIN, settings(stack.port, tokens))
            changed = site(stack)
            assert changed.returncode == 0, changed.output
            assert ask(stack, "new", "POST", "/tasks", {"title": "new"}).status == 201
            old = ask(stack, "old", "POST", "/tasks", {"title": "old"}).status
            assert old == (201 if "old" in tokens else 401)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    statuses = [one if isinstance(one, str) else one.status for one in answers]
    failed = [one for one in statuses if one not in (200, 201)]
    assert not failed, f"{len(failed)} of {len(statuses)}: {failed[:10]}"


def test_reading_is_opened_by_a_setting(stack: Stack) -> None:
    stack.project.write(MAIN, settings(stack.port, FIRST, reads=True))
    done = site(stack)
    assert done.returncode == 0, done.output
    assert "reading is open" in done.output
    assert ask(stack, "", "GET", "/tasks").status == 200
    assert ask(stack, "", "POST", "/tasks", {"title": "t"}).status == 401
    try_all_doors(stack)
