"""The verifier against a real server that keeps, or breaks, one promise at a time."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stackwright.secrets.masking import MASK, Masker
from stackwright.verification import report
from stackwright.verification.report import Outcome
from stackwright.verification.runner import CHECKS, verify
from stackwright.verification.target import ClosedPort
from stackwright.verification.tasks import TITLE

from tests.unit.verification.verification_stack import Stack, running


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running(tmp_path) as server:
        yield server


def run(stack: Stack, secrets: tuple[str, ...] = (), **changes: Any) -> Outcome:
    return verify(stack.target(**changes), stack.path.parent, Masker(secrets))


def assert_clean(stack: Stack) -> None:
    assert not [title for title in stack.titles() if title.startswith(TITLE)]


def test_a_sound_environment_keeps_every_promise(stack: Stack) -> None:
    outcome = run(stack)

    assert outcome.message == ""
    assert [result.name for result in outcome.proofs] == [
        name for name, _ in CHECKS if name not in ("edge", "tokens")
    ]
    assert all(proof.ok and "\n" not in proof.line for proof in outcome.proofs)
    assert outcome.services == {"api-web": "1.2.3", "banco-dados": "16.14", "cache-redis": "7.0.15"}
    assert outcome.seeded_tasks == 3
    assert "3 seeded tasks found" in outcome.proofs[3].text
    assert "database, then cache" in outcome.proofs[4].text
    assert_clean(stack)


def test_members_that_tasks_have_besides_come_from_the_description(stack: Stack) -> None:
    stack.members = {
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "owner": {"type": "string", "examples": ["Ana"]},
        "urgent": {"type": "boolean"},
        "kind": {"enum": ["a", "b"]},
    }
    stack.change(tasks=[task | {"kind": "a"} for task in stack.read()["tasks"]])
    assert run(stack).message == ""


def test_a_member_whose_description_gives_no_value_is_named(stack: Stack) -> None:
    stack.members = {"slug": {"type": "string", "pattern": "^[a-z]+$"}}
    outcome = run(stack)
    assert outcome.proofs[-1].name == "create"
    assert "an example of slug" in outcome.message
    assert "Meta(description=…, examples=[…])" in outcome.message


def test_a_command_that_redis_refuses_is_named(stack: Stack) -> None:
    stack.change(redis_refuses="zadd")
    outcome = run(stack)
    assert [(result.name, result.ok) for result in outcome.proofs] == [("health", False)]
    assert "got       Redis refuses command zadd to the API's user" in outcome.message
    assert "cause     Redis refuses the API's user the command zadd." in outcome.message
    assert "users.acl.j2" in outcome.message


SECRET = "tOk3n-of-the-verifier"


@pytest.mark.parametrize("public_reads", [True, False])
def test_it_works_with_a_token_and_proves_that_others_need_one(
    stack: Stack, public_reads: bool
) -> None:
    stack.token, stack.public_reads = SECRET, public_reads
    outcome = run(stack, token=SECRET, public_reads=public_reads)
    assert outcome.message == ""
    proof = next(proof for proof in outcome.proofs if proof.name == "tokens")
    assert "refused without a token" in proof.text
    assert ("reading is open" in proof.text) == public_reads
    assert SECRET not in json.dumps(outcome.as_json()) + repr(stack.target(token=SECRET))
    assert_clean(stack)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("open-writes", "POST /tasks answers 401"),
        ("open-metrics", "GET /metrics answers 401"),
        ("open-cache", "GET /cache/stats answers 401"),
        ("other-reads", "GET /tasks?limit=1 answers 200"),
        ("no-challenge", "WWW-Authenticate: Bearer"),
    ],
)
def test_an_api_that_lets_strangers_in_is_named_and_cleaned_up(
    stack: Stack, fault: str, word: str
) -> None:
    stack.token, stack.faults = SECRET, {fault}
    outcome = run(stack, token=SECRET, expected_services={})
    assert outcome.proofs[-1].name == "tokens"
    assert word in outcome.message
    assert_clean(stack)


def test_it_leaves_users_tasks_alone(stack: Stack) -> None:
    before = stack.read()["tasks"]
    run(stack)
    assert stack.read()["tasks"] == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "promise", "word"),
    [
        ("sick-database", "health", "unhealthy"),
        ("sick-cache", "health", "unhealthy"),
        ("never-caches", "cache", "from the database"),
        ("create-keeps-list", "create", "is missing"),
        ("create-forgets", "create", "is missing"),
        ("create-mangles", "create", "title is"),
        ("post-500", "create", "answers 201"),
        ("update-keeps-list", "update", "shows every acknowledged change"),
        ("update-keeps-task", "update", "shows every acknowledged change"),
        ("updated-at-stays", "update", "updated_at moves"),
        ("put-500", "update", "answers 200"),
        ("delete-keeps-list", "delete", "still listed"),
        ("delete-keeps-task", "delete", "still exists"),
        ("delete-forgets", "delete", "answers 404"),
        ("delete-500", "delete", "answers 200"),
        ("refills-list", "create", "has source database"),
    ],
)
def test_a_broken_api_is_named_and_cleaned_up(
    stack: Stack, fault: str, promise: str, word: str
) -> None:
    stack.faults = {fault}
    outcome = run(stack, expected_services={})

    assert outcome.proofs[-1].name == promise
    assert [proof.ok for proof in outcome.proofs] == [True] * (len(outcome.proofs) - 1) + [False]
    assert f"breaks a promise: {promise}" in outcome.message
    assert word in outcome.message
    assert "last line of the log" in outcome.message
    assert "first line" not in outcome.message
    assert_clean(stack)
    assert outcome.leftovers == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "promise", "word"),
    [
        ({"migrations": [1]}, "schema", "[2] missing"),
        ({"migrations": []}, "schema", "missing"),
        ({"tasks": [], "last_id": 0}, "seed", "never inserted"),
        ({"ttl": 61}, "ttl", "61 s"),
        ({"ttl": -1}, "ttl", "no expiry"),
        ({"ttl": 0}, "ttl", "TTL 0"),
        ({"list_ttl": 61}, "ttl", "all_tasks lives for at most 60 s"),
        ({"list_ttl": -1}, "ttl", "no expiry"),
        ({"redis_values": {"all_tasks": "\x80\x04 pickled"}}, "json", "all_tasks is plain JSON"),
        ({"redis_values": {"all_tasks": '{"a": 1}'}}, "json", "list of tasks"),
        ({"redis_values": {"task": "\x80\x04 pickled"}}, "json", "is plain JSON"),
        ({"redis_values": {"task": '{"id": 1}'}}, "json", "as plain JSON"),
        ({"redis_fails": "NOAUTH Authentication required."}, "ttl", "NOAUTH"),
    ],
)
def test_a_broken_database_or_cache_is_named(
    stack: Stack, state: dict[str, Any], promise: str, word: str
) -> None:
    stack.change(**state)
    # Without INFO: redis_fails has to show where the cached list is looked at.
    outcome = run(stack, expected_services={})

    assert outcome.proofs[-1].name == promise
    assert word in outcome.message
    assert_clean(stack)


def altered(stack: Stack, **changes: object) -> list[dict[str, Any]]:
    """The tasks with the second seeded one changed."""
    tasks: list[dict[str, Any]] = stack.read()["tasks"]
    return [task | changes if task["id"] == 2 else task for task in tasks]


def test_a_wrong_seed_is_a_broken_promise(stack: Stack) -> None:
    stack.change(tasks=altered(stack, title="Another title"))
    outcome = run(stack)
    assert outcome.proofs[-1].name == "seed"
    assert "Another title" in outcome.message


@pytest.mark.parametrize("how", ["api", "psql"])
def test_a_seeded_task_that_its_owner_changed_is_none(stack: Stack, how: str) -> None:
    if how == "api":
        stack.change(tasks=altered(stack, status="completed", updated_at="2025-12-03T10:00:00"))
    else:
        stack.change(tasks=altered(stack, status="completed"), rewritten=[2])
    outcome = run(stack)
    assert outcome.message == ""
    assert "3 seeded tasks found, through the API and through SQL (1 changed since)" in str(outcome)


def test_deleted_seeded_tasks_are_no_broken_promise(stack: Stack) -> None:
    stack.change(tasks=[], last_id=9)
    outcome = run(stack)
    assert outcome.message == ""
    assert outcome.seeded_tasks == 0
    assert "0 seeded tasks found, through the API and through SQL (3 deleted since)" in str(outcome)


def test_a_change_past_the_api_is_looked_at_without_the_cache(stack: Stack) -> None:
    tasks = stack.read()["tasks"]
    stack.change(
        cache={f"task:{task['id']}": json.dumps(task) for task in tasks},
        tasks=altered(stack, status="completed"),
        rewritten=[2],
    )
    assert run(stack).message == ""


@pytest.mark.slow
def test_other_readers_may_fill_the_list_first(stack: Stack) -> None:
    stack.faults = {"refills-list"}
    stack.change(others_read=7)
    outcome = run(stack)
    assert outcome.message == ""
    assert "other readers filled the cache first" in outcome.proofs[4].text


LONG = {"list_bytes": 2_000_000}


def proofs_of(outcome: Outcome) -> dict[str, report.Result]:
    assert outcome.message == ""
    return {proof.name: proof for proof in outcome.proofs}


def test_a_long_list_is_not_asked_for_and_what_is_not_known_of_it_is_said(stack: Stack) -> None:
    stack.faults = {"list-500"}
    stack.change(**LONG)
    proofs = proofs_of(run(stack))
    assert {name for name, proof in proofs.items() if proof.unknown} == {
        *("cache", "create", "update", "delete", "ttl", "json")
    }
    assert "unknown: the list, too long to be asked for and not in Redis" in proofs["cache"].line
    assert proofs["cache"].line.startswith("partly")
    assert proofs["ttl"].text.startswith("expires: task:")
    assert_clean(stack)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "promise", "word"),
    [
        ("create-keeps-list", "create", "is missing"),
        ("update-keeps-list", "update", "as [{'id'"),
        ("delete-keeps-list", "delete", "still listed"),
        ("never-caches", "cache", "from the database"),
    ],
)
def test_what_others_had_cached_of_a_long_list_is_looked_at(
    stack: Stack, fault: str, promise: str, word: str
) -> None:
    """As in an environment whose clients ask for the list all the while: it is cached before and after each write."""
    stack.faults = {fault, "list-500", "cached-by-others"}
    stack.change(**LONG)
    outcome = run(stack, expected_services={})
    assert outcome.proofs[-1].name == promise
    assert word in outcome.message
    assert_clean(stack)


def test_a_list_of_megabytes_is_looked_at_in_part(stack: Stack) -> None:
    old = stack.read()["tasks"][0] | {"title": "x" * 250}
    more = [old | {"id": number} for number in range(5_000, 1_000, -1)]
    stack.faults = {"list-500", "cached-by-others"}
    stack.change(tasks=[*more, *stack.read()["tasks"]], last_id=5_000, **LONG)
    proofs = proofs_of(run(stack))
    assert not any(proof.unknown for proof in proofs.values())
    assert 100 < proofs["json"].evidence["tasks"] < 300


@pytest.mark.slow
def test_a_list_that_others_empty_all_the_while_is_unknown_and_one_that_is_never_cached_is_broken(
    stack: Stack,
) -> None:
    stack.faults = {"never-caches-all_tasks"}
    broken = run(stack)
    assert broken.proofs[-1].name == "cache"
    assert "GET /tasks comes from the cache" in broken.message
    stack.change(others_write=5)
    proofs = proofs_of(run(stack))
    assert "which others' writes empty all the while" in proofs["cache"].unknown
    stack.faults = {"never-caches"}
    assert run(stack).proofs[-1].name == "cache"
    assert_clean(stack)


def test_a_seeded_task_that_is_changed_all_the_while_is_no_broken_promise(stack: Stack) -> None:
    stack.change(moving=[2], rewritten=[2])
    proof = proofs_of(run(stack))["seed"]
    assert proof.unknown == "whether API and SQL agree about task 2, which is being changed"
    assert "(1 changed since)" in proof.text


def test_an_api_that_shows_another_seeded_task_than_sql_is_named(stack: Stack) -> None:
    stack.faults = {"shows-another"}
    outcome = run(stack)
    assert outcome.proofs[-1].name == "seed"
    assert "GET /tasks/1 and SQL agree about task 1" in outcome.message


@pytest.mark.slow
def test_an_open_port_is_named_with_its_owner(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        closed_ports = [ClosedPort("127.0.0.1", port, "banco-dados")]
        ours = run(stack, closed_ports=closed_ports)
        foreign = run(stack, closed_ports=closed_ports, address_command=["echo", "docker-proxy"])
        unclear = run(stack, closed_ports=closed_ports, address_command=["false"])
    closed = run(stack, closed_ports=closed_ports)

    assert ours.proofs[-1].name == "ports"
    assert f"banco-dados is not reachable on 127.0.0.1:{port}" in ours.message
    assert "pid" in ours.message
    assert unclear.proofs[-1].name == "ports"
    assert foreign.message == ""
    assert "not this environment" in foreign.proofs[-1].text
    assert closed.message == ""


def test_leftovers_of_a_killed_verification_go(stack: Stack) -> None:
    left = {**stack.read()["tasks"][0], "id": 4, "title": f"{TITLE}0123456789abcdef"}
    stack.change(tasks=[left, *stack.read()["tasks"]], last_id=4)
    assert run(stack).message == ""
    assert_clean(stack)


def test_a_probe_that_cannot_be_removed_is_told(stack: Stack) -> None:
    stack.faults = {"delete-500"}
    target = stack.target()
    refusing = Path(target.sql_command[2])
    text = (
        refusing.read_text()
        .replace('statement.startswith("DELETE")', "False")
        .replace("else:\n    json_ids(state", 'elif "DELETE" not in statement:\n    json_ids(state')
    )
    other = refusing.with_name("refusing.py")
    other.write_text(text.replace('elif "LIKE" in', 'elif "LIKE" in statement and "DELETE" not in'))
    outcome = run(stack, sql_command=[*target.sql_command[:2], str(other), str(stack.path)])
    assert outcome.leftovers
    assert "could not be deleted" in outcome.leftovers[0]


def test_nothing_answers(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "state.json", port=free_port())
    outcome = run(stack)
    assert outcome.proofs[-1].name == "health"
    assert "refused" in outcome.message.lower()
    assert "make logs ENV=dev" in outcome.message


def test_a_server_that_never_answers_ends_with_the_deadline(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stack = Stack(tmp_path / "state.json", port=server.getsockname()[1])
        outcome = run(stack, deadline=0.6, health_wait=0.3)
    assert outcome.proofs[-1].name == "health"
    assert outcome.seconds < 10


def test_the_cause_is_found_in_the_log(stack: Stack) -> None:
    stack.faults = {"sick-database"}
    log = ["echo", 'FATAL:  password authentication failed for user "admin"']
    outcome = run(stack, log_commands={"banco-dados": log})
    assert "cause     PostgreSQL refuses the password of admin" in outcome.message
    assert "make up ENV=dev starts both with the current secrets" in outcome.message


def test_a_failing_command_is_the_databases_fault(stack: Stack) -> None:
    stack.change(sql_fails="Connection refused")
    outcome = run(stack, expected_services={})
    assert outcome.proofs[-1].name == "schema"
    assert "Connection refused" in outcome.message


def test_a_service_without_a_version_is_named(stack: Stack) -> None:
    outcome = run(stack, expected_services={"cache-redis": [sys.executable, "-c", ""]})
    assert outcome.proofs[-1].name == "versions"
    assert "cache-redis tells its version" in outcome.message


def test_secrets_are_masked_everywhere(stack: Stack) -> None:
    secret = 'pa"ss\\word ü'
    stack.change(sql_fails=f"{secret} {json.dumps(secret)}")
    outcome = run(stack, secrets=(secret,), expected_services={})
    shown = json.dumps(outcome.as_json(), ensure_ascii=False)
    assert MASK in shown
    assert secret not in shown
    assert "word ü" not in shown


def test_the_report_is_readable_json(stack: Stack) -> None:
    written = json.loads(report.as_file(run(stack).as_json()))
    assert written["ok"] is True
    assert written["proofs"][0]["name"] == "health"
    assert set(written["proofs"][0]) == {"name", "ok", "text", "seconds", "evidence", "unknown"}
    assert {"environment", "runtime", "started", "seconds", "services"} <= set(written)


def test_two_verifications_do_not_run_at_once(stack: Stack, tmp_path: Path) -> None:
    import fcntl
    import os

    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        outcome = run(stack, deadline=0.5)
    finally:
        os.close(handle)
    assert outcome.proofs[-1].name == "lock"
    assert run(stack).message == ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
