"""POST with an Idempotency-Key: one key, one task."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.servers import ApiProcess, MakeClient, Sql, wait_for
from tests.api.test_outages import terminate_waiting, waiting

BODY = {"title": "once", "description": "é"}


def post(client: FlaskClient, key: str, **body: str) -> TestResponse:
    """Create a task under a key."""
    return client.post("/tasks", json=BODY | body, headers={"Idempotency-Key": key})


def test_a_request_sent_again_gets_the_first_answer(client: FlaskClient, sql: Sql) -> None:
    first = post(client, "k1")
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    client.put(first.headers["Location"], json={"title": "changed"})
    again = post(client, "k1")
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert sql("SELECT count(*) FROM tasks") == [(4,)]


def test_the_order_of_members_is_no_difference(client: FlaskClient) -> None:
    first = post(client, "k")
    body = json.dumps(dict(reversed(BODY.items())))
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    assert client.post("/tasks", data=body, headers=headers).data == first.data


def test_a_key_is_for_one_task(client: FlaskClient, sql: Sql) -> None:
    post(client, "k")
    response = post(client, "k", title="another")
    assert response.status_code == 422
    assert response.json["error"]["code"] == "idempotency_key_reused"
    assert sql("SELECT count(*) FROM tasks") == [(4,)]


def test_another_key_is_another_task(client: FlaskClient) -> None:
    assert post(client, "k1").json["task"]["id"] != post(client, "k2").json["task"]["id"]


def test_a_refused_request_uses_no_key(client: FlaskClient) -> None:
    assert post(client, "k", status="wrong").status_code == 422
    assert post(client, "k").status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "\x7f"])
def test_what_is_no_key(client: FlaskClient, sql: Sql, key: str) -> None:
    response = post(client, key)
    assert response.status_code == 422
    assert list(response.json["error"]["fields"]) == ["Idempotency-Key"]
    assert sql("SELECT count(*) FROM tasks") == [(3,)]


def test_many_at_once_create_one(client: FlaskClient, sql: Sql) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post(client, "k"), range(24)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert sql("SELECT count(*) FROM tasks WHERE title = 'once'") == [(1,)]


def test_across_processes_and_restarts(
    api: ApiProcess, api_environment: dict[str, str], sql: Sql
) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    bodies = set()
    for _ in range(2):
        api.start(**api_environment, API_WORKERS="2")
        with ThreadPoolExecutor(8) as threads:
            for response, body in threads.map(
                lambda _: api.request("POST", "/tasks", json.dumps(BODY), headers), range(16)
            ):
                assert response.status == 201
                bodies.add(body)
        assert api.stop() == 0
    assert len(bodies) == 1
    assert sql("SELECT count(*) FROM tasks WHERE title = 'once'") == [(1,)]


def test_a_lost_connection_is_no_lost_answer(
    client: FlaskClient, locked_tasks: psycopg2.extensions.connection, sql: Sql
) -> None:
    locked_tasks.rollback()
    assert client.get("/tasks/1").status_code == 200  # now a connection is kept
    locked_tasks.cursor().execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(post, client, "k")
        terminate_waiting(sql)
        wait_for(lambda: waiting(sql), "the request to be sent again")
        locked_tasks.rollback()
        assert answer.result().status_code == 201
    assert sql("SELECT count(*) FROM tasks") == [(4,)]


def test_keys_go_after_a_day(client: FlaskClient, sql: Sql) -> None:
    post(client, "old")
    sql("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' RETURNING key")
    post(client, "new")
    assert sql("SELECT key FROM idempotency_keys") == [("new",)]
    assert post(client, "old").status_code == 201
    assert sql("SELECT count(*) FROM tasks WHERE title = 'once'") == [(3,)]


def test_without_the_table_yet(make_client: MakeClient, sql: Sql) -> None:
    sql("ALTER TABLE idempotency_keys RENAME TO later")
    client = make_client()
    assert post(client, "k").status_code == 503
    assert client.post("/tasks", json=BODY).status_code == 201
